package nginx

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// How long nginx has to end after SIGTERM, before it is killed, and then.
const (
	terminating = 2 * time.Second
	killing     = time.Second
)

// Quit lets nginx finish its requests and end. It stops listening at once.
// When the context ends first, the rest is cut off, and the error says so.
func (n *Nginx) Quit(ctx context.Context) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	p := n.current()
	if p == nil {
		return nil
	}
	n.tell(p, unix.SIGQUIT)
	err := n.awaitEnd(ctx, p)
	if err == nil {
		return nil
	}
	n.log.Warn("nginx has not finished in time; what is left is cut off", "processes", len(session(p.pid)))
	n.tell(p, unix.SIGTERM)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), terminating)
	defer cancel()
	if n.awaitEnd(last, p) != nil {
		n.kill(p)
	}
	return err
}

// tell signals the master, which tells its workers; or the workers where the
// master has died.
func (n *Nginx) tell(p *process, s unix.Signal) {
	if p.running() && n.signal(p, s) == nil {
		return
	}
	for _, w := range session(p.pid) {
		_ = unix.Kill(w.pid, s) // one that has ended needs no telling
	}
}

// awaitEnd waits until the master and all its workers have gone.
func (n *Nginx) awaitEnd(ctx context.Context, p *process) error {
	return until(ctx, func() (bool, error) {
		return !p.running() && len(session(p.pid)) == 0, nil
	})
}
