package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/proxier/planner"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// planCommand prints what would be programmed for a folder of manifests, or for
// the cluster as it is now, in the mode's own language. It touches no kernel;
// problems go to stderr.
func planCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	if _, err := o.parse(args, stderr); err != nil {
		return err
	}
	if o.Version {
		return printVersion(ctx, nil, stdout, stderr)
	}
	name := o.Mode
	if name == "auto" {
		name = "nftables"
	}
	snapshot, err := o.readOnce(ctx, stderr)
	if err != nil {
		return err
	}
	options, err := o.planner()
	if err != nil {
		return err
	}
	p := planner.New(options)
	p.Update(snapshot, store.Changes{}, true)
	var problems []model.Problem
	for _, source := range slices.Sorted(maps.Keys(snapshot.Problems)) {
		problems = append(problems, snapshot.Problems[source]...)
	}
	for _, one := range append(problems, p.Problems()...) {
		fmt.Fprintln(stderr, "problem:", one)
	}
	return modes()[name].render(stdout, p.Plan(), &o)
}

// readOnce is the state of the folder, or of the cluster once all has arrived.
func (o *options) readOnce(ctx context.Context, stderr io.Writer) (*store.Snapshot, error) {
	if o.Manifests != "" {
		if err := store.CheckFolder(o.Manifests); err != nil {
			return nil, fmt.Errorf("--manifests: %w", err)
		}
		return store.Load(o.Manifests), nil
	}
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := o.store(client, newLog(*o, stderr))
	failed := make(chan error, 1)
	go func() { failed <- s.Run(ctx) }()
	for !s.Settled() {
		select {
		case <-s.Changed():
		case err := <-failed:
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	snapshot, _ := s.Take()
	return snapshot, nil
}
