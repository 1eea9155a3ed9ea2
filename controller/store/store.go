// Package store turns a cluster, or a folder of manifests, into a Snapshot and
// says what changed in it. It is the only reader: informers for the kinds that
// are needed whole, one small watch for each Secret and ConfigMap that is
// wanted by name, look-ups in the DNS for external names.
//
// It may not judge what it reads: which Ingress counts, and whether a
// certificate is any good, is for build to say. It asks for no Secret and no
// ConfigMap that is not wanted by name, never writes to the cluster, and what it
// could not read is a problem in the Snapshot, while the last good object stays.
package store

import (
	"context"
	"log/slog"
)

// A Store collects what its source reports and hands it over on demand. Run
// reads; Changed, Take, Want and Settled are for the one goroutine that owns
// the Snapshot.
type Store struct {
	source   source
	resolver *resolver
	pending  *pending
	snapshot *Snapshot
	owners   map[Key]Key // the Service of each slice in the snapshot
}

// A source reports objects and problems to pending until its context ends.
type source interface {
	run(ctx context.Context) error
	// want replaces the set of objects that are read one by one.
	want(refs []ref)
	// settled says that nothing is missing from the first state.
	settled() bool
}

// Wanted is what a Snapshot should hold beside the kinds that it holds whole.
// A folder's Snapshot holds all Secrets and ConfigMaps anyway.
type Wanted struct {
	Secrets    []Key
	ConfigMaps []Key
	Names      []string // external names, as a Service spells them
}

func newStore(p *pending, s source, r Resolver, log *slog.Logger) *Store {
	return &Store{
		source:   s,
		resolver: newResolver(r, p, log),
		pending:  p,
		snapshot: newSnapshot(),
		owners:   map[Key]Key{},
	}
}

// Run reads until ctx ends. It returns an error only where reading can never
// work, such as for a folder that is not there; all other trouble is tried
// again, logged, and where it concerns an object, a problem in the Snapshot.
// It may be called once.
func (s *Store) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.resolver.run(ctx)
	}()
	err := s.source.run(ctx)
	cancel()
	<-done
	return err
}

// Changed delivers one value after one or many changes: something is pending,
// or Settled may say something else now.
func (s *Store) Changed() <-chan struct{} { return s.pending.changed }

// Want replaces what is wanted beside the kinds that are read whole. What is
// new is asked for at once; what is no longer wanted leaves the Snapshot with
// the next Take, without a change being told. It never waits for an answer.
func (s *Store) Want(w Wanted) {
	refs := make([]ref, 0, len(w.Secrets)+len(w.ConfigMaps))
	for _, key := range w.Secrets {
		refs = append(refs, ref{secrets, key})
	}
	for _, key := range w.ConfigMaps {
		refs = append(refs, ref{configMaps, key})
	}
	s.source.want(refs)
	s.resolver.want(w.Names)
}

// SetZone says in which zone this pod's node is. It may be called from any
// goroutine.
func (s *Store) SetZone(zone string) { s.pending.setZone(zone) }

// Settled says that the first state of all kinds has arrived and that there
// has been an answer for everything wanted: found, missing, unreadable or
// unresolvable. All of that is in the Snapshot after the next Take, so ask
// before taking. A later Want of something new unsettles the store until that
// is answered.
func (s *Store) Settled() bool { return s.source.settled() && s.resolver.settled() }
