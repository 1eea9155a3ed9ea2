package status

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestAddressesOfAService(t *testing.T) {
	balancer := func(list ...corev1.LoadBalancerIngress) corev1.ServiceStatus {
		return corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: list}}
	}
	for _, c := range []struct {
		name    string
		service corev1.Service
		want    string
		err     string
	}{
		{"headless", corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "None"}}, "", "without a cluster IP"},
		{"no cluster IP yet", corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP}}, "", "without a cluster IP"},
		{"unknown type", corev1.Service{Spec: corev1.ServiceSpec{Type: "Other"}}, "", "type Other"},
		{"balancer without addresses", corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, ClusterIP: "10.0.0.1"}}, "", ""},
		{"balancer", corev1.Service{
			Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, ClusterIP: "10.0.0.1", ExternalIPs: []string{"198.51.100.2", "192.0.2.9"}},
			Status: balancer(corev1.LoadBalancerIngress{IP: "192.0.2.9", Hostname: "ignored.example.org"}, corev1.LoadBalancerIngress{Hostname: "lb.example.org"},
				corev1.LoadBalancerIngress{}, corev1.LoadBalancerIngress{IP: "2001:DB8:0::1"}),
		}, "192.0.2.9,198.51.100.2,2001:db8::1,lb.example.org", ""},
		{"cluster IP", corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.0.0.1", ExternalIPs: []string{"192.0.2.9"}}}, "10.0.0.1", ""},
		{"node port", corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, ClusterIP: "10.0.0.1"}}, "10.0.0.1", ""},
		{"node port with external", corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, ClusterIP: "10.0.0.1", ExternalIPs: []string{"192.0.2.9"}}}, "192.0.2.9", ""},
		{"external name", corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "a.example.org"}}, "a.example.org", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.service.ObjectMeta = metav1.ObjectMeta{Namespace: "sallyport", Name: "lb"}
			l := newLab(t, &c.service)
			o := l.options()
			o.PublishAddresses, o.PublishService = nil, "sallyport/lb"
			got, err := New(o).find(context.Background())
			if got.String() != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q, %v; want %q, %q", got, err, c.want, c.err)
			}
		})
	}
}

func node(name string, list ...string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-" + name}}
	for _, text := range list {
		kind, address, _ := strings.Cut(text, " ")
		n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeAddressType(kind), Address: address})
	}
	return n
}

func TestAddressesOfNodes(t *testing.T) {
	notReady := func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }
	for _, c := range []struct {
		name     string
		objects  []runtime.Object
		internal bool
		want     string
		err      error
	}{
		{"no such pod", nil, false, "", errNoPod},
		{"not ready", []runtime.Object{pod("sallyport-a", notReady), node("sallyport-a", "ExternalIP 192.0.2.1")}, false, "", errNotReady},
		{"not scheduled", []runtime.Object{pod("sallyport-a", func(p *corev1.Pod) { p.Spec.NodeName = "" })}, false, "", errNotReady},
		{"external first", []runtime.Object{pod("sallyport-a", nil), node("sallyport-a", "Hostname x", "InternalIP 10.0.0.1", "ExternalIP ", "ExternalIP 192.0.2.1", "ExternalIP 192.0.2.2")}, false, "192.0.2.1", nil},
		{"internal wanted", []runtime.Object{pod("sallyport-a", nil), node("sallyport-a", "ExternalIP 192.0.2.1", "InternalIP 10.0.0.1")}, true, "10.0.0.1", nil},
		{"internal only", []runtime.Object{pod("sallyport-a", nil), node("sallyport-a", "InternalIP 10.0.0.1")}, false, "10.0.0.1", nil},
		{"of all that are ready", []runtime.Object{
			pod("sallyport-a", nil), node("sallyport-a", "InternalIP 10.0.0.3"),
			pod("b", nil), node("b", "InternalIP 10.0.0.2"),
			pod("c", notReady), node("c", "InternalIP 10.0.0.1"),
			pod("stranger", func(p *corev1.Pod) { p.Labels["app"] = "other" }),
			pod("pending", func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }),
		}, false, "10.0.0.2,10.0.0.3", nil},
		{"without labels, not all pods of the namespace", []runtime.Object{
			pod("sallyport-a", func(p *corev1.Pod) { p.Labels = nil }), node("sallyport-a", "InternalIP 10.0.0.3"),
			pod("b", nil), node("b", "InternalIP 10.0.0.2"),
		}, false, "10.0.0.3", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, c.objects...)
			o := l.options()
			o.PublishAddresses, o.NodeInternalIP = nil, c.internal
			got, err := New(o).find(context.Background())
			if got.String() != c.want || !errors.Is(err, c.err) {
				t.Errorf("%q, %v; want %q, %v", got, err, c.want, c.err)
			}
		})
	}
}

func TestPublishedAddresses(t *testing.T) {
	got := newAddresses([]string{" 192.0.2.1 ", "", "::ffff:192.0.2.1", "b.example.org", "a.example.org", "2001:DB8::0:1", "192.0.2.1"})
	if want := "192.0.2.1,2001:db8::1,a.example.org,b.example.org"; got.String() != want {
		t.Errorf("%q, want %q", got, want)
	}
	ing := &networkingv1.Ingress{}
	if !newAddresses(nil).in(ing) || got.in(ing) {
		t.Error("no addresses are not compared well")
	}
}
