package store

import (
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// Key names an object of a kind that is known from the context. Namespace is
// "" for kinds that have none.
type Key = types.NamespacedName

// A Snapshot is the cluster as the store has seen it: plain maps, stripped
// objects. The goroutine that calls Take owns it and is the only one that may
// read it; between two calls of Take it does not change. Nobody changes an
// object in it.
type Snapshot struct {
	Ingresses      map[Key]*networkingv1.Ingress
	IngressClasses map[string]*networkingv1.IngressClass
	Services       map[Key]*corev1.Service
	// Slices holds a Service's slices by the slice's own name; the first key is the Service's.
	Slices     map[Key]map[string]*discoveryv1.EndpointSlice
	ConfigMaps map[Key]*corev1.ConfigMap
	Secrets    map[Key]*corev1.Secret
	Namespaces map[string]*corev1.Namespace
	Nodes      map[string]*corev1.Node

	// Addresses holds what the cluster's DNS says of each external name that
	// was asked for: its addresses, or the reason why there are none.
	Addresses map[string]Resolution

	// Zone is that of this pod's node, where hints of EndpointSlices count; or "".
	Zone string

	// Problems holds what could not be read, by source (a file's path).
	Problems map[string][]model.Problem
}

// A Resolution is the DNS's answer for one external name.
type Resolution struct {
	Addresses []netip.Addr // sorted, without duplicates
	Err       string       // why there are no addresses; "" where there are some
}

// Changes says what a call of Take brought into the snapshot. An object that
// came again with the same content is not in it.
type Changes struct {
	Ingresses  map[Key]bool
	Services   map[Key]bool // the Service object itself
	Endpoints  map[Key]bool // Services whose slices changed
	ConfigMaps map[Key]bool
	Secrets    map[Key]bool
	Classes    bool
	Namespaces bool
	Nodes      bool
	Zone       bool
	Addresses  map[string]bool // external names with a new Resolution
	Problems   bool
	// Statuses: only the status of an Ingress or of a Service changed. No
	// Ingress depends on it.
	Statuses bool
	// Since says when the first of the changes of each kind came, by the kind's
	// name; external names have none.
	Since map[string]time.Time
	// ServiceStatuses are the Services of which only the status changed: the
	// addresses of their load balancers.
	ServiceStatuses map[Key]bool
}

// Empty says that no Ingress is concerned: no change at all, or one of
// statuses and Nodes alone.
func (c Changes) Empty() bool {
	return len(c.Ingresses) == 0 && len(c.Services) == 0 && len(c.Endpoints) == 0 &&
		len(c.ConfigMaps) == 0 && len(c.Secrets) == 0 && len(c.Addresses) == 0 &&
		!c.Classes && !c.Namespaces && !c.Zone && !c.Problems
}

func newSnapshot() *Snapshot {
	return &Snapshot{
		Ingresses:      map[Key]*networkingv1.Ingress{},
		IngressClasses: map[string]*networkingv1.IngressClass{},
		Services:       map[Key]*corev1.Service{},
		Slices:         map[Key]map[string]*discoveryv1.EndpointSlice{},
		ConfigMaps:     map[Key]*corev1.ConfigMap{},
		Secrets:        map[Key]*corev1.Secret{},
		Namespaces:     map[string]*corev1.Namespace{},
		Nodes:          map[string]*corev1.Node{},
		Addresses:      map[string]Resolution{},
		Problems:       map[string][]model.Problem{},
	}
}
