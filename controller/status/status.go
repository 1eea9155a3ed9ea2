// Package status turns addresses and problems into the status of Ingresses and
// into Events.
//
// It is the only part that writes to the cluster, and it writes nothing but
// these, the Lease by which replicas agree on who does, and whom API servers
// believe when they ask the admission webhook. It never writes an
// object as the store gave it: the store leaves fields out.
package status

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// Options say what is written and on whose behalf. Client and Log are needed.
type Options struct {
	Client kubernetes.Interface

	// Namespace and PodName are this pod's; "" outside of a cluster.
	Namespace, PodName string
	// Component is who Events come from; "" is sallyport.
	Component string

	// Where addresses come from: the first of these that is set, or else the
	// nodes on which pods like this one are ready.
	PublishAddresses []string // IP addresses and host names
	PublishService   string   // namespace/name
	NodeInternalIP   bool     // of nodes: the internal address, even where there is an external one

	ElectionID      string        // name of the Lease; its namespace is Namespace, or "default"
	ElectionTTL     time.Duration // how long a leader that is gone holds it; 0: 30 s
	DisableElection bool          // write without asking other replicas

	UpdateStatus     bool
	UpdateOnShutdown bool          // take the addresses out when the last replica ends
	SyncEvents       bool          // an Event for each Ingress that is new or changed
	Interval         time.Duration // between two looks at the addresses; at least 5 s, 0: 60 s

	Log *slog.Logger
	// OnLeader, if not nil, is told when this replica begins to write and when
	// it ends.
	OnLeader func(leading bool)
}

const (
	defaultTTL      = 30 * time.Second
	defaultInterval = time.Minute
	minInterval     = 5 * time.Second
)

// A State is what is to be written about. Nobody changes what it refers to.
type State struct {
	Ingresses []*networkingv1.Ingress // ours, as in the snapshot
	Problems  []model.Problem
}

// A Writer writes while it leads.
type Writer struct {
	o           Options
	log         *slog.Logger
	permissions *permissions
	pods        pods
	reporter    *reporter // over all terms: what was told stays told

	mu      sync.Mutex
	state   *State        // the latest; nil before the first
	changed chan struct{} // closed when there is a newer one
}

// New makes a Writer. It does nothing before Run.
func New(o Options) *Writer {
	if o.ElectionTTL <= 0 {
		o.ElectionTTL = defaultTTL
	}
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	o.Interval = max(o.Interval, minInterval)
	o.Component = cmp.Or(o.Component, "sallyport")
	if o.OnLeader == nil {
		o.OnLeader = func(bool) {}
	}
	permissions := newPermissions(o.Log)
	w := &Writer{
		o:           o,
		log:         o.Log,
		permissions: permissions,
		pods:        pods{client: o.Client, namespace: o.Namespace, name: o.PodName, permissions: permissions},
		changed:     make(chan struct{}),
	}
	w.reporter = newReporter(w)
	return w
}

// Publish replaces the state that is written about. It never blocks.
func (w *Writer) Publish(s State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = &s
	close(w.changed)
	w.changed = make(chan struct{})
}

// latest returns the state, and what is closed when there is a newer one. The
// state is nil before the first.
func (w *Writer) latest() (*State, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state, w.changed
}

// Run takes part in the election, and writes while this replica leads. When
// ctx ends it takes the addresses out, where that is wanted and nobody else is
// left to do it, gives the Lease back and returns. Its error is one of the
// options.
func (w *Writer) Run(ctx context.Context) error {
	if w.o.DisableElection {
		w.lead(ctx, context.WithoutCancel(ctx))
		return nil
	}
	candidate, err := w.candidate()
	if err != nil {
		return err
	}
	// The candidacy outlives ctx: the Lease is ours until the last write is done.
	candidacy, withdraw := context.WithCancel(context.WithoutCancel(ctx))
	terms := make(chan context.Context)
	var group sync.WaitGroup
	group.Go(func() { candidate.run(candidacy, terms) })
	defer group.Wait()
	defer withdraw()
	for {
		select {
		case <-ctx.Done():
			return nil
		case term := <-terms:
			w.lead(ctx, term)
		}
	}
}

// lead writes until the term or ctx ends.
func (w *Writer) lead(ctx, term context.Context) {
	if ctx.Err() != nil {
		return
	}
	w.o.OnLeader(true)
	defer w.o.OnLeader(false)
	work, cancel := context.WithCancel(term)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	var group sync.WaitGroup
	if w.o.UpdateStatus {
		group.Go(func() { newAddresser(w).run(work) })
	}
	group.Go(func() { w.reporter.run(work) })
	group.Wait()
	if ctx.Err() != nil && term.Err() == nil && w.o.UpdateStatus && w.o.UpdateOnShutdown {
		w.leave(term)
	}
}
