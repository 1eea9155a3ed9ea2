package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// FolderOptions say how a folder is read.
type FolderOptions struct {
	Log      *slog.Logger
	Resolver Resolver
}

// When a folder is read again after something happened in it.
const (
	quiet = 50 * time.Millisecond  // for so long nothing else has happened
	most  = 300 * time.Millisecond // so long after the first thing, whatever else happens
	// poll is how often a folder is read anyway while it cannot be watched.
	poll = 5 * time.Second
)

// racy is how old a file's time must be when it is read for it to say that the
// file is unchanged later: a write within the same tick of the clock of a file
// system leaves no trace in it.
const racy = 2 * time.Second

// NewFolder makes a Store that reads a folder of manifests: files that end in
// .yaml, .yml or .json, in it and its sub-folders.
func NewFolder(dir string, o FolderOptions) *Store {
	o.Log = orDiscard(o.Log)
	p := newPending()
	f := &folder{dir: dir, log: o.Log, pending: p, poll: poll, known: map[string]known{}, files: catalog{}}
	return newStore(p, f, o.Resolver, o.Log)
}

// A folder is the source that watches a folder of manifests.
type folder struct {
	dir     string
	log     *slog.Logger
	pending *pending
	poll    time.Duration
	ready   atomic.Bool

	watcher *fsnotify.Watcher
	watched bool // the last scan could watch all that it had to
	known   map[string]known
	files   catalog
	last    view
}

// known is what tells whether a file has to be read again.
type known struct {
	info fs.FileInfo
	sure bool
}

func (f *folder) want([]ref) {} // all are read anyway

func (f *folder) settled() bool { return f.ready.Load() }

// run reads the folder, and again whenever something happens in it.
func (f *folder) run(ctx context.Context) error {
	err := CheckFolder(f.dir)
	if err != nil {
		return fmt.Errorf("manifests: %w", err)
	}
	if f.watcher, err = fsnotify.NewWatcher(); err != nil {
		return fmt.Errorf("manifests: %w", err)
	}
	defer func() { _ = f.watcher.Close() }() // nothing is lost by it
	f.scan()
	f.ready.Store(true)
	f.pending.signal()
	f.follow(ctx)
	return nil
}

func (f *folder) follow(ctx context.Context) {
	happened := make(chan struct{}, 1)
	calmed := debounce(ctx, happened)
	for {
		var again <-chan time.Time
		if !f.watched {
			again = time.After(f.poll)
		}
		select {
		case <-ctx.Done():
			return
		case _, ok := <-f.watcher.Events:
			if !ok {
				return
			}
			notify(happened)
		case err := <-f.watcher.Errors: // an overflow: something happened too
			f.log.Warn("the folder's watch reports an error", "folder", f.dir, "error", err)
			clear(f.known)
			notify(happened)
		case <-calmed:
			f.scan()
		case <-again:
			f.scan()
		}
	}
}

// CheckFolder says why a folder of manifests can't be read at all.
func CheckFolder(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", dir)
	}
	return err
}

func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// scan reads what has changed since the last scan. A folder that is away, such
// as a volume between two mounts, takes nothing with it.
func (f *folder) scan() {
	f.watched = true
	all, err := find(f.dir, f.watch)
	if err != nil {
		f.watched = false
		f.show(map[string][]model.Problem{f.dir: unread(f.dir, err)})
		return
	}
	seen := map[string]bool{}
	for _, one := range all.files {
		seen[one.path] = true
		f.read(one, all.problems)
	}
	f.prune(seen, all.problems)
	f.show(all.problems)
}

// show reports what differs from what was shown before. unread is what could
// not be read of the folder.
func (f *folder) show(unread map[string][]model.Problem) {
	now := f.files.view()
	for source, all := range unread {
		now.problems[source] = append(now.problems[source], all...)
	}
	now.since(f.last, f.pending)
	f.last = now
}

func (f *folder) watch(dir string) {
	// Adding a folder twice is no error, and adding one anew after it was
	// replaced is needed.
	if err := f.watcher.Add(dir); err != nil {
		if f.watched {
			f.log.Warn("a folder cannot be watched and is read from time to time instead", "folder", dir, "every", f.poll, "error", err)
		}
		f.watched = false
	}
}

// read reads one file if it may have changed. One that can't be read keeps its
// objects.
func (f *folder) read(one found, problems map[string][]model.Problem) {
	was, ok := f.known[one.path]
	if ok && was.sure && os.SameFile(was.info, one.info) &&
		was.info.Size() == one.info.Size() && was.info.ModTime().Equal(one.info.ModTime()) {
		return
	}
	now := time.Now()
	data, err := readFile(one.path, one.info)
	if errors.Is(err, fs.ErrNotExist) {
		return // its removal is the next thing that happens
	}
	if err != nil {
		delete(f.known, one.path)
		problems[one.path] = unread(one.path, err)
		return
	}
	f.known[one.path] = known{one.info, now.Sub(one.info.ModTime()) > racy}
	f.files.update(decodeFile(one.path, data))
}

// prune drops files that are gone. One behind a link or a folder that cannot
// be followed is not gone.
func (f *folder) prune(seen map[string]bool, problems map[string][]model.Problem) {
	for name := range f.files {
		if !seen[name] && !below(name, problems) {
			delete(f.files, name)
			delete(f.known, name)
		}
	}
}
