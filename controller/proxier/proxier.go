// Package proxier keeps the kernel of one node in step with the Services of a
// cluster: a snapshot goes in, a plan is made of it, and a Backend is told what
// changed in the plan.
//
// It may not decide what a packet gets, which is plan's, nor how a kernel is
// told, which is a Backend's. It programs nothing before everything has been
// read once, and takes nothing away because nothing can be read.
package proxier

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
	"github.com/sallyport-ingress/sallyport/controller/proxier/planner"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// A Backend tells a kernel of plans. One goroutine calls its methods, one at a
// time; Connections alone may be called at any time by another.
type Backend interface {
	// Sync makes the kernel hold a plan and nothing else of ours: at the start,
	// when the Settings changed, when Intact said no, and when something failed.
	// It takes over what a Sync of an earlier process has left behind without a
	// connection being lost, and touches nothing that isn't ours. The error is
	// plan.Refused where some ports alone could not be programmed.
	Sync(ctx context.Context, p *plan.Plan) error
	// Apply brings changes in. It costs what changed, and is as one step for
	// each port: no connection to a port that has endpoints before and after
	// fails. The error is plan.Refused where some ports alone could not be
	// programmed; after any other the state is unknown, and Sync is due.
	Apply(ctx context.Context, changes []plan.Change) error
	// Intact says whether the kernel still holds what it was told: somebody may
	// have deleted it. It is called every second or so, and so it is cheap.
	Intact(ctx context.Context) (bool, error)
	// Connections counts the new connections that each port got since it was
	// first programmed. A port that is not in it has no count.
	Connections(ctx context.Context) (map[plan.ID]uint64, error)
	// Close ends what needs this process, such as sockets. What the kernel
	// does by itself goes on.
	Close() error
}

// A Source is where the snapshot comes from: a store.Store.
type Source interface {
	Changed() <-chan struct{}
	Settled() bool
	Take() (*store.Snapshot, store.Changes)
}

// Options are the parts of a Proxier.
type Options struct {
	Store   Source
	Planner *planner.Planner
	Backend Backend
	// MinSync is the least time between two rounds of changes: the first one is
	// brought in at once, those within it together after it. 0 is none.
	MinSync time.Duration
	// SyncPeriod is how long what failed waits to be tried again.
	SyncPeriod time.Duration
	// CheckPeriod is how often the kernel is looked at.
	CheckPeriod time.Duration
	Observer    Observer
	// More, if not nil, gives problems that only the process can have, such as
	// ports that others listen on.
	More func() []model.Problem
	// Report, if not nil, is given all problems whenever they may have changed.
	Report func([]model.Problem)
	Log    *slog.Logger
}

// An Observer is told what the Proxier does. It is called by the Proxier's
// goroutine and must not block.
type Observer interface {
	// Queued says that something arrived that is not programmed yet.
	Queued()
	// Programmed says what a round brought into the kernel.
	Programmed(Round)
	// Failed says that a round did not succeed and will be tried again.
	Failed(full bool)
	// Restored says that the kernel had lost what it was told and has it again.
	Restored()
}

// A Round is what one round of work did.
type Round struct {
	// Plan is as programmed, until the Observer returns: its maps change then.
	Plan    *plan.Plan
	Begun   time.Time // what was queued before that is in it
	Changes []plan.Change
	Full    bool // all was written, not what changed alone
	// HealthChecks says that the plan's health checks changed.
	HealthChecks bool
	Refused      int // ports that the kernel did not take
	Took         time.Duration
	// Services and Endpoints count the objects that changed.
	Services, Endpoints int
	// Triggers are the times at which the endpoints of these changes changed in
	// the cluster.
	Triggers []time.Time
}

// A Proxier is the loop. One goroutine, that of Run, owns the snapshot and the
// Backend.
type Proxier struct {
	o   Options
	log *slog.Logger

	arrived bool      // something is in the store that was not looked at
	started bool      // all has been read, and planned, once
	last    time.Time // the end of the last round of changes

	due     bool // a Sync is due: the kernel's state is unknown, or incomplete
	unknown bool // the kernel failed altogether: nothing but a Sync helps
	retry   time.Time
	wait    time.Duration // before retry, after failures in a row
	refused plan.Refused

	reading []model.Problem // of the store
	more    []model.Problem // of Options.More, as told last
	known   map[model.Problem]bool

	rounds tally // that the log does not have yet
}

// New makes a Proxier. It does nothing before Run.
func New(o Options) *Proxier {
	o.SyncPeriod = cmp.Or(o.SyncPeriod, 30*time.Second)
	o.CheckPeriod = cmp.Or(o.CheckPeriod, time.Second)
	return &Proxier{o: o, log: o.Log, refused: plan.Refused{}, known: map[model.Problem]bool{}}
}

// Run programs the kernel until ctx ends. It leaves the kernel as it is.
func (p *Proxier) Run(ctx context.Context) error {
	check := time.NewTicker(p.o.CheckPeriod)
	defer check.Stop()
	for {
		wake := p.wake()
		select {
		case <-ctx.Done():
			p.flush()
			return nil
		case <-p.o.Store.Changed():
			p.arrived = true
			if p.started {
				p.o.Observer.Queued()
			}
		case <-wake:
		case <-check.C:
			p.look(ctx)
			p.refresh()
			p.write(time.Now())
		}
		if now := time.Now(); p.arrived && !now.Before(p.last.Add(p.o.MinSync)) || p.due && !now.Before(p.retry) {
			p.round(ctx)
		}
	}
}

// wake is when there is something to do without anything happening.
func (p *Proxier) wake() <-chan time.Time {
	switch {
	case p.arrived:
		return time.After(time.Until(p.last.Add(p.o.MinSync)))
	case p.due:
		return time.After(time.Until(p.retry))
	}
	return nil
}

// look has the kernel told again where it does not hold what it was told.
func (p *Proxier) look(ctx context.Context) {
	if !p.started || p.due {
		return
	}
	intact, err := p.o.Backend.Intact(ctx)
	switch {
	case ctx.Err() != nil || intact && err == nil:
	case err != nil:
		p.log.Warn("the kernel can't be looked at", "error", err)
	default:
		p.log.Warn("somebody changed or deleted what the kernel was told: it is told again")
		if p.sync(ctx, &Round{Plan: p.o.Planner.Plan(), Begun: time.Now()}) {
			p.o.Observer.Restored()
		}
		p.publish()
	}
}
