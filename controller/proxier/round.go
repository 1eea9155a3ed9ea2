package proxier

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// round brings what is pending into the kernel. Before the first state of
// everything is there it does nothing: what is not read yet is not known to be
// absent.
func (p *Proxier) round(ctx context.Context) {
	p.arrived = false
	if !p.started && !p.o.Store.Settled() {
		return
	}
	begun := time.Now()
	snapshot, changes := p.o.Store.Take()
	update := p.o.Planner.Update(snapshot, changes, !p.started || changes.Nodes)
	r := &Round{
		Plan: p.o.Planner.Plan(), Begun: begun, Changes: update.Changes, Triggers: update.Triggers,
		HealthChecks: update.HealthChecks,
		Services:     len(changes.Services), Endpoints: len(changes.Endpoints),
	}
	if !p.started || update.Settings {
		p.due, p.retry = true, time.Time{}
	}
	p.started = true
	p.program(ctx, r)
	p.last = time.Now()
	p.report(snapshot, changes)
}

func (p *Proxier) program(ctx context.Context, r *Round) {
	switch {
	case p.due && !time.Now().Before(p.retry):
		p.sync(ctx, r)
	case p.unknown:
		// The plan waits for the kernel's next chance.
	case len(r.Changes) > 0:
		p.apply(ctx, r)
	default:
		p.o.Observer.Programmed(*r)
	}
}

// sync writes all. It is true where the kernel took it.
func (p *Proxier) sync(ctx context.Context, r *Round) bool {
	r.Full = true
	start := time.Now()
	err := p.o.Backend.Sync(ctx, r.Plan)
	clear(p.refused)
	p.due, p.unknown = false, false
	return p.done(ctx, r, time.Since(start), err)
}

// apply brings changes in, and all at once where that fails: most of the time
// somebody else has deleted what a change was to replace, and a Sync puts that
// right.
func (p *Proxier) apply(ctx context.Context, r *Round) {
	start := time.Now()
	err := p.o.Backend.Apply(ctx, r.Changes)
	if refused := (plan.Refused)(nil); err != nil && ctx.Err() == nil && !errors.As(err, &refused) {
		p.log.Warn("the kernel is not as it was left: all is told again", "error", err)
		p.o.Observer.Failed(false)
		p.sync(ctx, r)
		return
	}
	for _, c := range r.Changes {
		delete(p.refused, c.ID) // it is refused again, or not
	}
	p.done(ctx, r, time.Since(start), err)
}

// done takes note of how a round ended. It is true where the kernel took it,
// or all but single ports.
func (p *Proxier) done(ctx context.Context, r *Round, took time.Duration, err error) bool {
	if ctx.Err() != nil {
		return false // it was cut off, and nobody cares any more
	}
	if refused := (plan.Refused)(nil); errors.As(err, &refused) {
		maps.Copy(p.refused, refused)
		err = nil
	}
	if err != nil {
		p.wait = min(max(2*p.wait, time.Second), p.o.SyncPeriod)
		p.due, p.unknown, p.retry = true, true, time.Now().Add(p.wait)
		p.log.Error("the kernel can't be told", "error", err, "again in", p.wait)
		p.o.Observer.Failed(r.Full)
		return false
	}
	p.wait = 0
	if len(p.refused) == 0 {
		p.due = false
	} else if !p.due {
		p.due, p.retry = true, time.Now().Add(p.o.SyncPeriod)
	}
	r.Took, r.Refused = took, len(p.refused)
	p.rounds.add(r)
	p.write(time.Now())
	p.o.Observer.Programmed(*r)
	return true
}

// report tells all problems: of reading, planning and programming.
func (p *Proxier) report(s *store.Snapshot, c store.Changes) {
	if c.Problems {
		p.reading = nil
		for _, source := range slices.Sorted(maps.Keys(s.Problems)) {
			p.reading = append(p.reading, s.Problems[source]...)
		}
	}
	p.publish()
}

// refresh tells all problems where those of the process are others than before:
// they come and go without a round.
func (p *Proxier) refresh() {
	if p.started && p.o.More != nil && !slices.Equal(p.more, p.o.More()) {
		p.publish()
	}
}

func (p *Proxier) publish() {
	all := slices.Concat(p.reading, p.o.Planner.Problems())
	ids := slices.SortedFunc(maps.Keys(p.refused), plan.Compare)
	for _, id := range ids {
		all = append(all, model.Problem{
			Object: model.Object{Kind: "Service", Namespace: id.Namespace, Name: id.Name},
			Field:  id.String(),
			Reason: "the kernel does not take it: " + p.refused[id].Error(),
		})
	}
	if p.o.More != nil {
		p.more = p.o.More()
		all = append(all, p.more...)
	}
	p.tell(all)
}

// tell logs what is new.
func (p *Proxier) tell(all []model.Problem) {
	if len(all) == 0 && len(p.known) == 0 {
		return
	}
	known := make(map[model.Problem]bool, len(all))
	for _, one := range all {
		if !p.known[one] && !known[one] {
			p.log.Warn("problem", "object", one.Object.String(), "field", one.Field, "reason", one.Reason)
		}
		known[one] = true
	}
	p.known = known
	if p.o.Report != nil {
		p.o.Report(all)
	}
}
