package controller

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/sallyport-ingress/sallyport/nginx"
)

// A lane pushes data items to nginx in the order in which they were sent. What
// comes while a push is under way goes with the next one, the newest text of
// each item only.
type lane struct {
	push    func(ctx context.Context, set map[string]string, del []string) error
	observe Observer
	quiet   int // failed tries in a row that are no error yet
	log     *slog.Logger
	wake    chan struct{}
	failed  int // tries in a row

	mu      sync.Mutex
	pending delta
	waiting []chan struct{}   // closed when what was sent before is in nginx
	epoch   int               // counts drops: what was under way then is not tried again
	full    map[string]string // items for which nginx had no room; deletions make some
}

// A delta is a change of data items.
type delta struct {
	set   map[string]string
	del   map[string]bool
	since since // the changes of objects that are complete with it
}

func newDelta() delta { return delta{set: map[string]string{}, del: map[string]bool{}} }

// add lays a newer change over d.
func (d *delta) add(set map[string]string, del []string, of since) {
	d.since.add(of)
	for key, text := range set {
		d.set[key] = text
		delete(d.del, key)
	}
	for _, key := range del {
		delete(d.set, key)
		d.del[key] = true
	}
}

// below lays d over an older change that failed.
func (d *delta) below(older delta) {
	d.since.add(older.since)
	for key, text := range older.set {
		if _, newer := d.set[key]; !newer && !d.del[key] {
			d.set[key] = text
		}
	}
	for key := range older.del {
		if _, newer := d.set[key]; !newer {
			d.del[key] = true
		}
	}
}

func (d *delta) size() int { return len(d.set) + len(d.del) }

func newLane(push func(context.Context, map[string]string, []string) error, observe Observer, quiet int, log *slog.Logger) *lane {
	return &lane{push: push, observe: observe, quiet: quiet, log: log, wake: make(chan struct{}, 1), pending: newDelta()}
}

// send hands items on. of are the changes of objects that nginx has once it has
// these items.
func (l *lane) send(set map[string]string, del []string, of since) {
	l.mu.Lock()
	l.pending.add(set, del, of)
	l.mu.Unlock()
	l.signal()
}

// flushed is closed once all that was sent so far is in nginx, or dropped.
func (l *lane) flushed() <-chan struct{} {
	done := make(chan struct{})
	l.mu.Lock()
	l.waiting = append(l.waiting, done)
	l.mu.Unlock()
	l.signal()
	return done
}

// drop forgets what was not pushed yet: nginx will be started with all of it.
func (l *lane) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending, l.full = newDelta(), nil
	l.epoch++
	for _, done := range l.waiting {
		close(done)
	}
	l.waiting = nil
}

// keep notes the items of d that did not fit, for when there is room.
func (l *lane) keep(d delta, keys []string) {
	if l.full == nil {
		l.full = map[string]string{}
	}
	for _, key := range keys {
		l.full[key] = d.set[key]
	}
}

func (l *lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Pauses after a push that failed.
const (
	shortestPause = 20 * time.Millisecond
	longestPause  = 5 * time.Second
)

func (l *lane) run(ctx context.Context) {
	pause := shortestPause
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		if l.once(ctx) {
			pause = shortestPause
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
		l.signal()
	}
}

// once pushes what is pending and says whether that went well.
func (l *lane) once(ctx context.Context) bool {
	l.mu.Lock()
	d, waiting, epoch := l.pending, l.waiting, l.epoch
	for key := range l.full {
		if _, newer := d.set[key]; newer || d.del[key] {
			delete(l.full, key)
		}
	}
	l.pending, l.waiting = newDelta(), nil
	l.mu.Unlock()

	var err error
	if d.size() > 0 {
		start := time.Now()
		keys := make([]string, 0, len(d.del))
		for key := range maps.Keys(d.del) {
			keys = append(keys, key)
		}
		err = l.push(ctx, d.set, keys)
		l.observe.Pushed(d.size(), time.Since(start), err)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	var full *nginx.FullError
	if errors.As(err, &full) && epoch == l.epoch {
		l.log.Error("nginx has no room for data, and goes on without", "items", len(full.Keys), "first", full.Keys[0], "error", err)
		l.keep(d, full.Keys)
		err = nil
	} else if err == nil && len(d.del) > 0 {
		l.pending.below(delta{set: l.full})
		l.full = nil
		l.signal()
	}
	if err == nil || epoch != l.epoch {
		live(l.observe.Live, d.since)
		l.failed = 0
		for _, done := range waiting {
			close(done)
		}
		return true
	}
	l.waiting = append(waiting, l.waiting...)
	l.pending.below(d)
	level := slog.LevelWarn
	if l.failed++; l.failed > l.quiet {
		level = slog.LevelError
	}
	l.log.Log(ctx, level, "data could not be pushed to nginx and is tried again", "items", d.size(), "tries", l.failed, "error", err)
	return false
}
