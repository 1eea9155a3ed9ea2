package store

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// strip takes out of an object, in place, what nobody behind the store looks
// at. It is the transform of the informers, so it must not mind an object that
// was stripped before, nor a type that it does not know.
func strip(o any) (any, error) {
	switch o := o.(type) {
	case *networkingv1.Ingress:
		stripMeta(&o.ObjectMeta, keepAnnotation, nil)
	case *networkingv1.IngressClass:
		stripMeta(&o.ObjectMeta, keepAnnotation, nil)
	case *corev1.Service:
		stripMeta(&o.ObjectMeta, keepOfService, keepOfService)
		stripService(o)
	case *discoveryv1.EndpointSlice:
		stripMeta(&o.ObjectMeta, keepOfService, keepOfService)
		stripSlice(o)
	case *corev1.ConfigMap:
		stripMeta(&o.ObjectMeta, nil, nil)
	case *corev1.Secret:
		stripMeta(&o.ObjectMeta, nil, nil)
	case *corev1.Namespace:
		stripMeta(&o.ObjectMeta, nil, func(string) bool { return true })
		o.Spec, o.Status = corev1.NamespaceSpec{}, corev1.NamespaceStatus{}
	case *corev1.Node:
		stripMeta(&o.ObjectMeta, nil, keepOfService)
		stripNode(o)
	}
	return o, nil
}

// stripMeta keeps identity, times and versions, and of the annotations and
// labels those for which keep says yes (nil: none).
func stripMeta(m *metav1.ObjectMeta, annotation, label func(string) bool) {
	m.ManagedFields = nil
	m.OwnerReferences = nil
	m.Finalizers = nil
	m.GenerateName = ""
	m.Annotations = only(m.Annotations, annotation)
	m.Labels = only(m.Labels, label)
}

// only deletes from m, in place. An empty map becomes nil, which saves 48 bytes
// an object.
func only(m map[string]string, keep func(string) bool) map[string]string {
	if keep == nil {
		return nil
	}
	for k := range m {
		if !keep(k) {
			delete(m, k)
		}
	}
	if len(m) == 0 {
		return nil
	}
	return m
}

func keepAnnotation(key string) bool { return key != corev1.LastAppliedConfigAnnotation }

// keepOfService keeps what steers traffic, such as service.kubernetes.io/topology-mode,
// and when the endpoints of a slice changed.
func keepOfService(key string) bool {
	switch key {
	case discoveryv1.LabelServiceName, corev1.EndpointsLastChangeTriggerTime:
		return true
	}
	return strings.HasPrefix(key, "service.") || strings.HasPrefix(key, "topology.") || strings.HasPrefix(key, "sallyport.io/")
}

func stripService(s *corev1.Service) {
	s.Spec.Selector = nil
	s.Status = corev1.ServiceStatus{LoadBalancer: s.Status.LoadBalancer}
}

// stripNode keeps what the node's addresses and its part in the cluster are, and
// nothing that a heartbeat changes.
func stripNode(n *corev1.Node) {
	n.Spec = corev1.NodeSpec{PodCIDR: n.Spec.PodCIDR, PodCIDRs: n.Spec.PodCIDRs, Taints: n.Spec.Taints}
	n.Status = corev1.NodeStatus{Addresses: n.Status.Addresses}
}

func stripSlice(s *discoveryv1.EndpointSlice) {
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		e.Hostname = nil
		e.TargetRef = nil
		e.DeprecatedTopology = nil
	}
}
