// Package conntrack turns changes of a plan into the deletion of UDP flows that
// go where nobody answers for them any more: to an endpoint that is gone, or to
// the frontend itself because nothing was behind it when the client began.
//
// It touches no TCP, whose connections outlive the rules that made them, no flow
// in a conntrack zone, which others have made for themselves, and none whose
// original destination is not, or was not, a frontend of a plan. It is not for
// the userspace mode: there flows end at the proxy's own sockets, which would
// look like endpoints that are gone.
package conntrack

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

const (
	// settle is from a change until the table is read. A packet that was on its
	// way through the old rules when they were replaced is in the table by then;
	// and changes that come together are cleaned up after together.
	settle = 5 * time.Millisecond
	// restFactor is how many times as long as it has worked a Cleaner rests, so
	// that it uses at most a fifth of a processor on a table of any size.
	restFactor = 4
	// again is from a failure until the next try.
	again = 2 * time.Second
)

// A Report is told what was done for a family: how many flows were deleted, and
// for how long the Cleaner worked at it.
type Report func(f plan.Family, deleted int, took time.Duration)

// A Cleaner deletes stale UDP flows of the network namespace that Run is called
// in. Its methods may be called by several goroutines, and never wait for the
// kernel.
type Cleaner struct {
	log    *slog.Logger
	report Report
	wake   chan struct{}

	mu   sync.Mutex
	todo work
}

// New makes a Cleaner. The report may be nil; it is called by Run's goroutine.
func New(log *slog.Logger, report Report) *Cleaner {
	if report == nil {
		report = func(plan.Family, int, time.Duration) {}
	}
	return &Cleaner{log: log, report: report, wake: make(chan struct{}, 1)}
}

// Changed notes changes that the kernel has been told, and the plan that they
// have led to. Changes that leave no flow stale cost nothing.
func (c *Cleaner) Changed(changes []plan.Change, p *plan.Plan) {
	if !slices.ContainsFunc(changes, func(c plan.Change) bool { return c.ID.Protocol == plan.UDP }) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.todo.plan = flowing(p)
	for _, change := range changes {
		c.todo.add(change)
	}
	c.signal()
}

// flowing is what a plan has of UDP. The plan's own maps are its planner's,
// which goes on while a Cleaner works.
func flowing(p *plan.Plan) *plan.Plan {
	udp := &plan.Plan{Settings: p.Settings, Ports: map[plan.ID]*plan.Port{}}
	for id, port := range p.Ports {
		if id.Protocol == plan.UDP {
			udp.Ports[id] = port
		}
	}
	return udp
}

// Reconcile notes a plan that the kernel has been told as a whole: at the start,
// when flows of an earlier process may be there, and whenever it isn't known
// what has changed.
func (c *Cleaner) Reconcile(p *plan.Plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.todo.replace(flowing(p))
	c.signal()
}

// signal wakes Run if there is something to do; c.mu is held.
func (c *Cleaner) signal() {
	if c.todo.empty() {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Run cleans up until the context is done. What could not be done is tried
// again, and logged the first time.
func (c *Cleaner) Run(ctx context.Context) {
	for failed := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		if !wait(ctx, settle) {
			return
		}
		start := time.Now()
		err := c.clean(ctx)
		rest := restFactor * time.Since(start)
		if err != nil {
			if !failed && ctx.Err() == nil {
				c.log.Error("stale UDP flows could not all be deleted; trying again", "error", err, "every", again)
			}
			rest = max(rest, again)
		}
		failed = err != nil
		if !wait(ctx, rest) {
			return
		}
	}
}

// wait returns false if the context was done before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// clean does what is to be done. What fails is to be done still.
func (c *Cleaner) clean(ctx context.Context) error {
	c.mu.Lock()
	todo := c.todo
	c.todo = work{plan: todo.plan}
	c.mu.Unlock()
	for _, f := range []plan.Family{plan.IPv4, plan.IPv6} {
		if todo.index(f).empty() {
			continue
		}
		if err := c.cleanFamily(ctx, f, &todo); err != nil {
			c.mu.Lock()
			c.todo.merge(todo)
			c.signal()
			c.mu.Unlock()
			return err
		}
	}
	return nil
}

func (c *Cleaner) cleanFamily(ctx context.Context, f plan.Family, todo *work) error {
	start := time.Now()
	local, err := localAddresses(f)
	if err != nil {
		return err
	}
	deleted, err := sweep(ctx, f, c.latest(f, todo, local))
	took := time.Since(start)
	c.report(f, deleted, took)
	if deleted > 0 {
		c.log.Info("stale UDP flows deleted", "family", f, "flows", deleted, "took", took)
	}
	return err
}

// latest gives the index of the work by the newest plan, each time it is asked.
// To read a large table and to delete much takes its time, and a flow to an
// endpoint that came meanwhile is not stale.
func (c *Cleaner) latest(f plan.Family, todo *work, local []netip.Prefix) func() *index {
	x := todo.index(f)
	x.local = local
	return func() *index {
		c.mu.Lock()
		newer := work{plan: c.todo.plan, all: c.todo.all, ports: maps.Clone(c.todo.ports), gone: maps.Clone(c.todo.gone)}
		c.mu.Unlock()
		if newer.plan != todo.plan {
			todo.plan = newer.plan
			todo.merge(newer)
			x = todo.index(f)
			x.local = local
		}
		return x
	}
}
