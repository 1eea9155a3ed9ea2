package store

import (
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

	// Addresses holds what the cluster's DNS says of each external name that
	// was asked for: its addresses, or the reason why there are none.
	Addresses map[string]Resolution

	// Problems holds what could not be read, by source (a file's path).
	Problems map[string][]model.Problem
}

// Changes says what a call of Take brought into the snapshot.
type Changes struct {
	Ingresses  map[Key]bool
	Services   map[Key]bool // the Service object itself
	Endpoints  map[Key]bool // Services whose slices changed
	ConfigMaps map[Key]bool
	Secrets    map[Key]bool
	Classes    bool
	Namespaces bool
	Addresses  map[string]bool // external names with a new Resolution
	Problems   bool
}
