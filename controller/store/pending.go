//lint:file-ignore SA1019 Endpoints are deprecated, but manifest folders hold them.

package store

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// A kind is one of the kinds of objects that the store reads.
type kind string

const (
	ingresses      kind = "Ingress"
	classes        kind = "IngressClass"
	services       kind = "Service"
	endpointSlices kind = "EndpointSlice"
	endpoints      kind = "Endpoints" // only in folders, and never in a Snapshot
	configMaps     kind = "ConfigMap"
	secrets        kind = "Secret"
	namespaces     kind = "Namespace"
	nodes          kind = "Node"
)

// A ref names one object.
type ref struct {
	kind kind
	key  Key
}

func (r ref) object() model.Object {
	return model.Object{Kind: string(r.kind), Namespace: r.key.Namespace, Name: r.key.Name}
}

// refOf is false for a type that the store doesn't read.
func refOf(o metav1.Object) (ref, bool) {
	r := ref{key: Key{Namespace: o.GetNamespace(), Name: o.GetName()}}
	switch o.(type) {
	case *networkingv1.Ingress:
		r.kind = ingresses
	case *networkingv1.IngressClass:
		r.kind = classes
	case *corev1.Service:
		r.kind = services
	case *discoveryv1.EndpointSlice:
		r.kind = endpointSlices
	case *corev1.Endpoints:
		r.kind = endpoints
	case *corev1.ConfigMap:
		r.kind = configMaps
	case *corev1.Secret:
		r.kind = secrets
	case *corev1.Namespace:
		r.kind = namespaces
	case *corev1.Node:
		r.kind = nodes
	default:
		return ref{}, false
	}
	return r, true
}

// An arrival is the newest state of one object. A nil object is gone.
type arrival struct {
	object metav1.Object
	quiet  bool      // nobody wants it any more: its going is no change
	at     time.Time // when the first of the changes came that it is the last of
}

// A batch is what arrived since the last one was taken: the newest state of
// each thing, however often it changed. nil values: gone.
type batch struct {
	objects   map[ref]arrival
	addresses map[string]*Resolution
	problems  map[string][]model.Problem // by source
	zone      string                     // "": not known, or as before
}

func newBatch() batch {
	return batch{
		objects:   map[ref]arrival{},
		addresses: map[string]*Resolution{},
		problems:  map[string][]model.Problem{},
	}
}

// pending is where the goroutines that read put what they have read.
type pending struct {
	changed chan struct{} // capacity 1

	mu    sync.Mutex
	batch batch
}

func newPending() *pending {
	return &pending{changed: make(chan struct{}, 1), batch: newBatch()}
}

// signal says that there is something to look at. It never blocks.
func (p *pending) signal() {
	select {
	case p.changed <- struct{}{}:
	default: // the one before has not been seen yet
	}
}

func (p *pending) put(o metav1.Object) {
	if r, ok := refOf(o); ok {
		p.set(r, arrival{object: o})
	}
}

func (p *pending) remove(r ref) { p.set(r, arrival{}) }

func (p *pending) set(r ref, a arrival) {
	a.at = time.Now()
	p.mu.Lock()
	if before, ok := p.batch.objects[r]; ok && !before.at.IsZero() {
		a.at = before.at
	}
	p.batch.objects[r] = a
	p.mu.Unlock()
	p.signal()
}

// forget takes out what nobody wants any more, and its problems.
func (p *pending) forget(r ref, source string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.batch.objects[r] = arrival{quiet: true}
	p.batch.problems[source] = nil
}

func (p *pending) resolve(name string, r *Resolution) {
	p.mu.Lock()
	p.batch.addresses[name] = r
	p.mu.Unlock()
	p.signal()
}

// forgetName takes out an external name that nobody wants any more.
func (p *pending) forgetName(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.batch.addresses[name] = nil
}

func (p *pending) setZone(zone string) {
	p.mu.Lock()
	p.batch.zone = zone
	p.mu.Unlock()
	p.signal()
}

// problem replaces a source's problems.
func (p *pending) problem(source string, all []model.Problem) {
	p.mu.Lock()
	p.batch.problems[source] = all
	p.mu.Unlock()
	p.signal()
}

func (p *pending) take() batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.batch
	p.batch = newBatch()
	return b
}
