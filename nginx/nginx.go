// Package nginx turns bytes into a process: an nginx.conf and data items into
// an nginx that serves them, and that goes on serving them through changes,
// crashes and the end of its controller.
//
// It may not know what the bytes mean: nothing of Kubernetes comes in here,
// and no text is put into nginx.conf.
package nginx

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Options say which nginx is run, and where.
type Options struct {
	Binary string // path or name; "" is "nginx"
	Dir    string // the work folder; it is made if it is not there
	Log    *slog.Logger
	// Stdout and Stderr become nginx's own: it keeps them when the controller
	// is gone. nil is the controller's.
	Stdout, Stderr *os.File
}

// Nginx is one nginx and its work folder. Its methods may be called from
// several goroutines; those that change the process run one at a time, and
// Push and the others that only talk to it never wait for them.
type Nginx struct {
	*Folder
	options Options
	lock    *os.File

	changing sync.Mutex // held by Start, Adopt, Test, Reload, Quit, Close
	closed   bool       // guarded by changing

	mu      sync.Mutex // guards what follows
	process *process   // the last master that was started or adopted, or nil
}

// New prepares the work folder and takes its lock. The error is ErrLocked
// where another controller has it.
func New(o Options) (*Nginx, error) {
	if o.Binary == "" {
		o.Binary = "nginx"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	paths := PathsIn(o.Dir)
	lock, err := prepare(paths)
	if err != nil {
		return nil, err
	}
	return &Nginx{Folder: folderIn(paths, o.Log), options: o, lock: lock}, nil
}

// A Folder is a work folder, and the nginx of it as its control socket shows it.
type Folder struct {
	paths   Paths
	log     *slog.Logger
	control control
}

func folderIn(p Paths, log *slog.Logger) *Folder {
	return &Folder{paths: p, log: log, control: dialing(p.Control)}
}

// Paths are the names in the work folder.
func (f *Folder) Paths() Paths { return f.paths }

// Pid is that of the running master, or 0.
func (n *Nginx) Pid() int {
	if p := n.current(); p != nil && p.running() {
		return p.pid
	}
	return 0
}

// Lives says whether a process of this folder's nginx runs: a master, adopted
// yet or not, or workers that one left behind.
func (n *Nginx) Lives() bool {
	return n.Pid() != 0 || isMaster(readPid(n.paths), n.paths) || len(n.orphans()) > 0
}

// Exited is closed when the master that was last started or adopted has gone,
// for whatever reason. It is nil before the first, and a different channel
// after each.
func (n *Nginx) Exited() <-chan struct{} {
	if p := n.current(); p != nil {
		return p.exited
	}
	return nil
}

func (n *Nginx) current() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process
}

func (n *Nginx) setCurrent(p *process) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.process = p
}

// Close gives the work folder back. Where nginx still runs, all that it needs
// stays, and another controller can adopt it. Where it does not, its sockets
// are removed, and the whole folder if FreshDir made it.
func (n *Nginx) Close() error {
	n.changing.Lock()
	defer n.changing.Unlock()
	if n.closed {
		return nil // the folder may be another controller's by now
	}
	n.closed = true
	var err error
	if n.Pid() == 0 && !isMaster(readPid(n.paths), n.paths) { // one that was never adopted needs its files
		err = n.paths.clear()
	}
	return errors.Join(err, n.lock.Close())
}

// signal sends a signal to the master.
func (n *Nginx) signal(p *process, s unix.Signal) error {
	if err := unix.Kill(p.pid, s); err != nil {
		return fmt.Errorf("nginx master %d: %s: %w", p.pid, unix.SignalName(s), err)
	}
	return nil
}
