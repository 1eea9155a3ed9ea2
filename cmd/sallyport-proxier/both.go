package main

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/proxier"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
	"github.com/sallyport-ingress/sallyport/controller/proxier/userspace"
)

// both is a mode's Backend and the listeners for node ports at 127.0.0.1 and
// ::1, which no mode's rules serve. What a listener can't have is a problem of
// its own, and no failure of the Backend's.
type both struct {
	proxier.Backend
	loopback *userspace.Loopback
}

// Sync has the kernel told first: its traffic matters more.
func (b *both) Sync(ctx context.Context, p *plan.Plan) error {
	return errors.Join(b.Backend.Sync(ctx, p), b.loopback.Sync(ctx, p))
}

func (b *both) Apply(ctx context.Context, changes []plan.Change) error {
	return errors.Join(b.Backend.Apply(ctx, changes), b.loopback.Apply(ctx, changes))
}

func (b *both) Connections(ctx context.Context) (map[plan.ID]uint64, error) {
	all := map[plan.ID]uint64{}
	kernel, err := b.Backend.Connections(ctx)
	maps.Copy(all, kernel)
	for id, n := range b.loopback.Connections() {
		all[id] += n
	}
	return all, err
}

func (b *both) Close() error {
	return errors.Join(b.Backend.Close(), b.loopback.Close())
}

// problems are what the listeners could not have.
func (b *both) problems() []model.Problem {
	var all []model.Problem
	failed := b.loopback.Problems()
	for _, id := range slices.SortedFunc(maps.Keys(failed), plan.Compare) {
		all = append(all, model.Problem{
			Object: model.Object{Kind: "Service", Namespace: id.Namespace, Name: id.Name},
			Field:  id.String(),
			Reason: "its node port is not served at the loopback address: " + failed[id].Error(),
		})
	}
	return all
}
