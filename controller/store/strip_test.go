package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func fat() metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: "a", Name: "x", UID: "u", ResourceVersion: "1",
		ManagedFields:   []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
		OwnerReferences: []metav1.OwnerReference{{Name: "o"}},
		Finalizers:      []string{"f"},
		Annotations: map[string]string{
			corev1.LastAppliedConfigAnnotation:     "{}",
			"nginx.ingress.kubernetes.io/x":        "1",
			"service.kubernetes.io/topology-mode":  "Auto",
			corev1.EndpointsLastChangeTriggerTime:  "now",
			"kubectl.kubernetes.io/restartedAt":    "now",
			"sallyport.io/balance":                 "maglev",
			"topology.kubernetes.io/something-new": "1",
		},
		Labels: map[string]string{"app": "x", discoveryv1.LabelServiceName: "s"},
	}
}

func TestStripKeepsWhatTrafficDependsOn(t *testing.T) {
	identity := metav1.ObjectMeta{Namespace: "a", Name: "x", UID: "u", ResourceVersion: "1"}
	steering := identity
	steering.Annotations = map[string]string{
		"service.kubernetes.io/topology-mode": "Auto", "topology.kubernetes.io/something-new": "1",
		corev1.EndpointsLastChangeTriggerTime: "now", "sallyport.io/balance": "maglev",
	}
	steering.Labels = map[string]string{discoveryv1.LabelServiceName: "s"}
	steeringLabels := identity
	steeringLabels.Labels = steering.Labels
	annotated := identity
	annotated.Annotations = fat().Annotations
	delete(annotated.Annotations, corev1.LastAppliedConfigAnnotation)
	labelled := identity
	labelled.Labels = fat().Labels

	address := networkingv1.IngressStatus{LoadBalancer: networkingv1.IngressLoadBalancerStatus{Ingress: []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}}}
	zone := &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: "z"}}}
	for _, c := range []struct{ in, want any }{
		{&networkingv1.Ingress{ObjectMeta: fat(), Status: address}, &networkingv1.Ingress{ObjectMeta: annotated, Status: address}},
		{&networkingv1.IngressClass{ObjectMeta: fat()}, &networkingv1.IngressClass{ObjectMeta: annotated}},
		{
			&corev1.Service{ObjectMeta: fat(), Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "x"}, ExternalName: "e"},
				Status: corev1.ServiceStatus{Conditions: []metav1.Condition{{Type: "c"}}}},
			&corev1.Service{ObjectMeta: steering, Spec: corev1.ServiceSpec{ExternalName: "e"}},
		},
		{
			&discoveryv1.EndpointSlice{ObjectMeta: fat(), Endpoints: []discoveryv1.Endpoint{{
				Addresses: []string{"10.0.0.1"}, Hints: zone, Zone: new("z"), NodeName: new("n"),
				Hostname: new("h"), TargetRef: &corev1.ObjectReference{Name: "pod"},
			}}},
			&discoveryv1.EndpointSlice{ObjectMeta: steering, Endpoints: []discoveryv1.Endpoint{{
				Addresses: []string{"10.0.0.1"}, Hints: zone, Zone: new("z"), NodeName: new("n"),
			}}},
		},
		{&corev1.Secret{ObjectMeta: fat(), Data: map[string][]byte{"k": nil}}, &corev1.Secret{ObjectMeta: identity, Data: map[string][]byte{"k": nil}}},
		{&corev1.ConfigMap{ObjectMeta: fat()}, &corev1.ConfigMap{ObjectMeta: identity}},
		{
			&corev1.Node{ObjectMeta: fat(), Spec: corev1.NodeSpec{ProviderID: "p", PodCIDR: "10.244.1.0/24", Taints: []corev1.Taint{{Key: "k"}}},
				Status: corev1.NodeStatus{
					Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.1"}},
					Conditions: []corev1.NodeCondition{{LastHeartbeatTime: metav1.Now()}},
				}},
			&corev1.Node{ObjectMeta: steeringLabels, Spec: corev1.NodeSpec{PodCIDR: "10.244.1.0/24", Taints: []corev1.Taint{{Key: "k"}}},
				Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.1"}}}},
		},
		{&corev1.Namespace{ObjectMeta: fat(), Status: corev1.NamespaceStatus{Phase: "Active"}}, &corev1.Namespace{ObjectMeta: labelled}},
		{"a type that it does not know", "a type that it does not know"},
	} {
		for range 2 { // stripped twice is stripped once
			got, err := strip(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("%T: (-want +got)\n%s", c.in, d)
			}
		}
	}
}
