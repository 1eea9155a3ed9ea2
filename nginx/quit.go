package nginx

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sys/unix"
)

// How long nginx has to end after SIGTERM, before it is killed, and then.
const (
	terminating = 2 * time.Second
	killing     = time.Second
)

// goodbye is how long clients have to send one more request and learn that they
// should leave, before nginx is told to quit. Workers stop by themselves a
// moment later (retire.lua).
const goodbye = time.Second

// Quit lets nginx finish its requests and end. Where it has connections, it says
// on each that it will be closed, and quits a second later: nginx by itself closes
// idle ones at once, and a request that is on its way on one is lost.
// When the context ends first, the rest is cut off, and the error says so.
func (n *Nginx) Quit(ctx context.Context) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	p := n.current()
	if p == nil {
		return nil
	}
	n.sayGoodbye(ctx)
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

// sayGoodbye does nothing where nobody is there to hear it.
func (n *Nginx) sayGoodbye(ctx context.Context) {
	stub, err := n.Stub(ctx)
	if err != nil || stub.Active <= 1 { // the one that asks
		return
	}
	if _, err := n.control.ask(ctx, http.MethodPost, "/leave", nil); err != nil {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(goodbye):
	}
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
