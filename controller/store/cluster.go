package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// ClusterOptions say what is read of a cluster.
type ClusterOptions struct {
	// Namespace limits all kinds that live in namespaces to one; "" is all.
	Namespace string
	// NamespaceSelector, where not nil, brings into the Snapshot the Namespaces
	// that it selects, and no others. Where nil no Namespace is read.
	NamespaceSelector labels.Selector
	// GetSecrets reads Secrets by GET alone, so that no right to list or watch
	// any is needed.
	GetSecrets bool
	// Proxier, where not nil, reads what the proxier needs and nothing else.
	Proxier *ProxierOptions
	// Resync is how often all objects are gone through once more; 0: never.
	Resync   time.Duration
	Log      *slog.Logger
	Resolver Resolver
}

// NewCluster makes a Store that reads a cluster by client. The client's own
// rate limit applies; each wanted Secret and ConfigMap costs two requests at
// the start.
func NewCluster(client kubernetes.Interface, o ClusterOptions) *Store {
	o.Log = orDiscard(o.Log)
	p := newPending()
	c := &cluster{client: client, options: o, pending: p}
	c.singles = newSingles(readCluster(client, o.GetSecrets), p, o.Log)
	return newStore(p, c, o.Resolver, o.Log)
}

func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// A cluster is the source that watches an API server.
type cluster struct {
	client  kubernetes.Interface
	options ClusterOptions
	pending *pending
	singles *singles
	ready   atomic.Bool // all kinds have delivered their first state
}

func (c *cluster) want(refs []ref) { c.singles.want(refs) }

func (c *cluster) settled() bool { return c.ready.Load() && c.singles.settled() }

// run starts the informers. They outlive the API server: while it is away
// their caches stay as they are, and only a list that succeeded replaces them.
func (c *cluster) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	factory := informers.NewSharedInformerFactoryWithOptions(c.client, c.options.Resync,
		informers.WithNamespace(c.options.Namespace), informers.WithTransform(strip))
	var first sync.WaitGroup
	defer factory.Shutdown()
	defer cancel()
	for k, informer := range c.informers(factory) {
		if err := c.follow(ctx, k, informer, &first); err != nil {
			return err
		}
	}
	factory.StartWithContext(ctx)
	go func() {
		first.Wait()
		c.ready.Store(ctx.Err() == nil)
		c.pending.signal()
	}()
	c.singles.run(ctx)
	return nil
}

func (c *cluster) informers(f informers.SharedInformerFactory) map[kind]cache.SharedIndexInformer {
	if p := c.options.Proxier; p != nil {
		return p.informers(f)
	}
	all := map[kind]cache.SharedIndexInformer{
		ingresses:      f.Networking().V1().Ingresses().Informer(),
		classes:        f.Networking().V1().IngressClasses().Informer(),
		services:       f.Core().V1().Services().Informer(),
		endpointSlices: f.Discovery().V1().EndpointSlices().Informer(),
	}
	if s := c.options.NamespaceSelector; s != nil {
		all[namespaces] = f.InformerFor(&corev1.Namespace{}, namespaceInformer(s))
	}
	return all
}

// follow sends what an informer sees to pending. first waits for its first
// state, or, for a kind that we can do without, for the word that we may not
// read it.
func (c *cluster) follow(ctx context.Context, k kind, informer cache.SharedIndexInformer, first *sync.WaitGroup) error {
	refused := make(chan struct{})
	trouble := &trouble{log: c.options.Log, kind: k, refused: sync.OnceFunc(func() { close(refused) })}
	if err := informer.SetWatchErrorHandlerWithContext(trouble.handle); err != nil {
		return fmt.Errorf("%s: handle watch errors: %w", k, err)
	}
	arrived, gone := c.arrived, c.gone
	if c.options.Proxier != nil && k != nodes {
		doubt := newDoubt(c, k, informer.GetIndexer())
		arrived, gone = func(o any) { c.arrived(o); doubt.arrived() }, doubt.gone
	}
	handle, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { trouble.over(); arrived(o) },
		UpdateFunc: func(_, o any) { trouble.over(); arrived(o) },
		DeleteFunc: func(o any) { trouble.over(); gone(o) },
	})
	if err != nil {
		return fmt.Errorf("%s: handle events: %w", k, err)
	}
	first.Go(func() {
		select {
		case <-handle.HasSyncedChecker().Done():
		case <-refused:
		case <-ctx.Done():
		}
	})
	return nil
}

func (c *cluster) arrived(o any) {
	if object, ok := o.(metav1.Object); ok {
		c.pending.put(object)
	}
}

func (c *cluster) gone(o any) {
	if unseen, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = unseen.Obj // deleted while the watch was down
	}
	if object, ok := o.(metav1.Object); ok {
		if r, ok := refOf(object); ok {
			c.pending.remove(r)
		}
	}
}

func namespaceInformer(s labels.Selector) func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
	return func(client kubernetes.Interface, every time.Duration) cache.SharedIndexInformer {
		return coreinformers.NewFilteredNamespaceInformer(client, every, cache.Indexers{},
			func(o *metav1.ListOptions) { o.LabelSelector = s.String() })
	}
}
