package planner

import (
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

func TestServices(t *testing.T) {
	slice := aSlice([]string{"10.244.2.10"})
	for name, test := range map[string]struct {
		objects []metav1.Object
		proxy   string // ServiceProxyName
		want    string
	}{
		"headless": {[]metav1.Object{aService(named("web", 1, "None")), slice}, "", ""},
		"headless, in the list alone": {[]metav1.Object{aService(func(s *corev1.Service) {
			s.Spec.ClusterIP, s.Spec.ClusterIPs = "", []string{"None"}
		}), slice}, "", ""},
		"ExternalName": {[]metav1.Object{aService(func(s *corev1.Service) {
			s.Spec.Type, s.Spec.ExternalName = corev1.ServiceTypeExternalName, "example.com"
		}), slice}, "", ""},
		"headless by label":     {[]metav1.Object{aService(labelled(corev1.IsHeadlessService, "")), slice}, "", ""},
		"another proxy's":       {[]metav1.Object{aService(labelled(store.LabelServiceProxyName, "edge")), slice}, "", ""},
		"another's, unnamed":    {[]metav1.Object{aService(labelled(store.LabelServiceProxyName, "")), slice}, "", ""},
		"the cluster's proxy's": {[]metav1.Object{aService(), slice}, "edge", ""},
		"a third proxy's":       {[]metav1.Object{aService(labelled(store.LabelServiceProxyName, "core")), slice}, "edge", ""},
		"ours":                  {[]metav1.Object{aService(labelled(store.LabelServiceProxyName, "edge")), slice}, "edge", webText},
		"ClusterIP alone":       {[]metav1.Object{aService(func(s *corev1.Service) { s.Spec.ClusterIPs = nil }), slice}, "", webText},
		"an affinity of ten minutes": {[]metav1.Object{aService(clientIP(new(int32(600))))}, "", `
			default/web/tcp/IPv4 affinity 600
			  cluster 10.96.0.1:80
			  -> `},
		"no endpoints": {[]metav1.Object{aService()}, "", `
			default/web/tcp/IPv4
			  cluster 10.96.0.1:80
			  -> `},
		"a slice without its Service": {[]metav1.Object{slice}, "", ""},
		"a node port that its type has no use for": {[]metav1.Object{aService(nodePort(30080), func(s *corev1.Service) {
			s.Spec.Type = corev1.ServiceTypeClusterIP
		}), slice}, "", webText},
		"a load balancer's address that its type has no use for": {[]metav1.Object{aService(balanced("203.0.113.5"), func(s *corev1.Service) {
			s.Spec.Type = corev1.ServiceTypeNodePort
		}), slice}, "", webText},
		"load balancers of all sorts": {[]metav1.Object{aService(balanced("203.0.113.5", "203.0.113.6", "203.0.113.7", ""), func(s *corev1.Service) {
			in := s.Status.LoadBalancer.Ingress
			in[1].IPMode = new(corev1.LoadBalancerIPModeProxy)
			in[2].IPMode = new(corev1.LoadBalancerIPModeVIP)
			in[3].Hostname = "lb.example"
		}), slice}, "", `
			default/web/tcp/IPv4
			  cluster 10.96.0.1:80
			  lb 203.0.113.5:80
			  lb 203.0.113.7:80
			  -> 10.244.2.10:8080`},
		"everything, in both families": {[]metav1.Object{
			aService(dual, balanced("203.0.113.5", "2001:db8::5"), externalIPs("2001:db8::9", "203.0.113.9", "203.0.113.8"),
				externalLocal, clientIP(nil), func(s *corev1.Service) {
					s.Annotations = map[string]string{annotationBalance: "maglev"}
					s.Spec.Ports = []corev1.ServicePort{
						{Name: "dns", Port: 53, NodePort: 30053, Protocol: corev1.ProtocolUDP},
						{Name: "dns", Port: 53, NodePort: 30053, Protocol: corev1.ProtocolTCP},
						{Name: "sctp", Port: 7, Protocol: corev1.ProtocolSCTP},
					}
				}),
			aSlice([]string{"10.244.1.10", "10.244.2.10"}, at(here, 0), func(s *discoveryv1.EndpointSlice) {
				s.Ports = []discoveryv1.EndpointPort{
					{Name: new("dns"), Port: new(int32(5353)), Protocol: new(corev1.ProtocolUDP)},
					{Name: new("dns"), Port: new(int32(5354))},
				}
			}),
			aSlice([]string{"fd00:244:2::10"}, v6, of("web", "web-2"), func(s *discoveryv1.EndpointSlice) { s.Ports[0].Name = new("sctp") }),
		}, "", `
			default/web:dns/tcp/IPv4 affinity 10800 balance 4
			  cluster 10.96.0.1:53
			  node 30053 local
			  lb 203.0.113.5:53 local
			  external 203.0.113.8:53 local
			  external 203.0.113.9:53 local
			  -> 10.244.1.10:5354* 10.244.2.10:5354
			  local -> 10.244.1.10:5354*
			default/web:dns/tcp/IPv6 affinity 10800 balance 4
			  cluster [fd00:96::1]:53
			  node 30053 local
			  lb [2001:db8::5]:53 local
			  external [2001:db8::9]:53 local
			  -> ` + `
			default/web:dns/udp/IPv4 affinity 10800 balance 4
			  cluster 10.96.0.1:53
			  node 30053 local
			  lb 203.0.113.5:53 local
			  external 203.0.113.8:53 local
			  external 203.0.113.9:53 local
			  -> 10.244.1.10:5353* 10.244.2.10:5353
			  local -> 10.244.1.10:5353*
			default/web:dns/udp/IPv6 affinity 10800 balance 4
			  cluster [fd00:96::1]:53
			  node 30053 local
			  lb [2001:db8::5]:53 local
			  external [2001:db8::9]:53 local
			  -> ` + `
			default/web:sctp/sctp/IPv4 affinity 10800 balance 4
			  cluster 10.96.0.1:7
			  lb 203.0.113.5:7 local
			  external 203.0.113.8:7 local
			  external 203.0.113.9:7 local
			  -> ` + `
			default/web:sctp/sctp/IPv6 affinity 10800 balance 4
			  cluster [fd00:96::1]:7
			  lb [2001:db8::5]:7 local
			  external [2001:db8::9]:7 local
			  -> `},
		"one address for everything": {[]metav1.Object{aService(balanced("203.0.113.5", "203.0.113.5", "10.96.0.1"),
			externalIPs("203.0.113.5", "10.96.0.1", "203.0.113.5"), ranges("198.18.0.0/15")), slice}, "", `
			default/web/tcp/IPv4
			  cluster 10.96.0.1:80
			  lb 203.0.113.5:80 from [198.18.0.0/15]
			  -> 10.244.2.10:8080`},
		"the node's own address": {[]metav1.Object{aService(externalIPs("192.0.2.11")), slice, aNode()}, "", `
			default/web/tcp/IPv4
			  cluster 10.96.0.1:80
			  external 192.0.2.11:80
			  -> 10.244.2.10:8080`},
	} {
		t.Run(name, func(t *testing.T) {
			o := options
			o.ServiceProxyName = test.proxy
			p := planned(t, o, test.objects...)
			wantPlan(t, p, test.want)
			wantProblems(t, p)
		})
	}
}

func labelled(key, value string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Labels = map[string]string{key: value} }
}

func TestEndpoints(t *testing.T) {
	three := []string{"10.244.1.10", "10.244.2.10", "10.244.2.11"}
	one := func(change ...func(*discoveryv1.EndpointSlice)) []metav1.Object {
		return []metav1.Object{aSlice(three, append([]func(*discoveryv1.EndpointSlice){at(here, 0)}, change...)...)}
	}
	for name, test := range map[string]struct {
		slices         []metav1.Object
		cluster, local string
	}{
		"all ready":             {one(), "10.244.1.10:8080* 10.244.2.10:8080 10.244.2.11:8080", "10.244.1.10:8080*"},
		"the local one is not":  {one(at(notReady, 0)), "10.244.2.10:8080 10.244.2.11:8080", ""},
		"the local one drains":  {one(at(draining, 0)), "10.244.2.10:8080 10.244.2.11:8080", "10.244.1.10:8080*"},
		"all drain":             {one(at(draining, 0, 1, 2)), "10.244.1.10:8080* 10.244.2.10:8080 10.244.2.11:8080", "10.244.1.10:8080*"},
		"one drains, no others": {one(at(notReady, 0, 1), at(draining, 2)), "10.244.2.11:8080", ""},
		"none":                  {one(at(notReady, 0, 1, 2)), "", ""},
		"terminating, and it is not said whether it serves": {one(at(notReady, 0, 1), at(func(e *discoveryv1.Endpoint) {
			e.Conditions = discoveryv1.EndpointConditions{Ready: new(false), Terminating: new(true)}
		}, 2)), "10.244.2.11:8080", ""},
		"terminating and not serving": {one(at(notReady, 0, 1), at(func(e *discoveryv1.Endpoint) {
			e.Conditions = discoveryv1.EndpointConditions{Ready: new(false), Serving: new(false), Terminating: new(true)}
		}, 2)), "", ""},
		"published though not ready": {one(at(published, 0), at(notReady, 1, 2)), "10.244.1.10:8080*", "10.244.1.10:8080*"},
		"in this zone":               {one(at(zones("z1"), 0, 1), at(zones("z2"), 2)), "10.244.1.10:8080* 10.244.2.10:8080", "10.244.1.10:8080*"},
		"in several zones":           {one(at(zones("z1", "z2"), 0), at(zones("z2"), 1, 2)), "10.244.1.10:8080*", "10.244.1.10:8080*"},
		"local, in another zone":     {one(at(zones("z2"), 0), at(zones("z1"), 1, 2)), "10.244.2.10:8080 10.244.2.11:8080", "10.244.1.10:8080*"},
		"none in this zone":          {one(at(zones("z2"), 0, 1, 2)), "10.244.1.10:8080* 10.244.2.10:8080 10.244.2.11:8080", "10.244.1.10:8080*"},
		"one without a zone":         {one(at(zones("z1"), 0, 1)), "10.244.1.10:8080* 10.244.2.10:8080 10.244.2.11:8080", "10.244.1.10:8080*"},
		"an unready one without":     {one(at(zones("z1"), 0), at(zones("z2"), 1), at(notReady, 2)), "10.244.1.10:8080*", "10.244.1.10:8080*"},
		"those of the zone unready":  {one(at(zones("z1"), 0), at(zones("z2"), 1, 2), at(notReady, 0)), "10.244.2.10:8080 10.244.2.11:8080", ""},
		"those of the zone drain":    {one(at(zones("z1"), 0), at(zones("z2"), 1, 2), at(draining, 0)), "10.244.2.10:8080 10.244.2.11:8080", "10.244.1.10:8080*"},
		"all drain, with zones":      {one(at(zones("z1"), 0), at(zones("z2"), 1, 2), at(draining, 0, 1, 2)), "10.244.1.10:8080* 10.244.2.10:8080 10.244.2.11:8080", "10.244.1.10:8080*"},
		"on this node":               {one(at(nodes("n1"), 0), at(nodes("n2"), 1, 2), at(zones("z1"), 0, 1, 2)), "10.244.1.10:8080*", "10.244.1.10:8080*"},
		"none on this node, some in the zone": {one(at(nodes("n2"), 0, 1, 2), at(zones("z1"), 0, 1), at(zones("z2"), 2)),
			"10.244.1.10:8080* 10.244.2.10:8080", "10.244.1.10:8080*"},
		"one without a node": {one(at(nodes("n1"), 0, 1)), "10.244.1.10:8080* 10.244.2.10:8080 10.244.2.11:8080", "10.244.1.10:8080*"},
		"several slices, one address in three": {[]metav1.Object{
			aSlice(three[:1], at(notReady, 0), at(here, 0)),
			aSlice(three[:2], of("web", "web-2"), weight("7")),
			aSlice(three[:1], of("web", "web-3"), at(draining, 0)),
		}, "10.244.1.10:8080x7* 10.244.2.10:8080x7", "10.244.1.10:8080x7*"},
		"an address that a leaving pod had and a new one has": {[]metav1.Object{
			aSlice(three[:2], at(draining, 0, 1)), aSlice(three[:1], of("web", "web-2"), at(notReady, 0)),
		}, "10.244.2.10:8080", ""},
		"the same, the other way about": {[]metav1.Object{
			aSlice(three[:1], at(notReady, 0)), aSlice(three[:2], of("web", "web-2"), at(draining, 0, 1)),
		}, "10.244.2.10:8080", ""},
		"the same in one slice, published though not ready": {[]metav1.Object{aSlice([]string{three[0], three[0], three[0]},
			at(published, 0, 2), at(notReady, 1))}, "", ""},
		"a new one that is ready has its own hints": {[]metav1.Object{
			aSlice(three, at(zones("z1"), 0, 1), at(zones("z2"), 2)),
			aSlice(three[2:], of("web", "web-2"), at(zones("z1"), 0), at(draining, 0)),
		}, "10.244.1.10:8080 10.244.2.10:8080", ""},
		"slices with other ports": {[]metav1.Object{
			aSlice(three[:1], func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = new(int32(9090)) }),
			aSlice(three[:1], of("web", "web-2")),
			aSlice(three[:1], of("web", "web-3"), func(s *discoveryv1.EndpointSlice) { s.Ports[0].Name = new("other") }),
			aSlice(three[:1], of("web", "web-4"), func(s *discoveryv1.EndpointSlice) { s.Ports[0].Protocol = new(corev1.ProtocolUDP) }),
			aSlice(three[:1], of("web", "web-5"), func(s *discoveryv1.EndpointSlice) { s.Ports = nil }),
			aSlice(three[:1], of("web", "web-6"), func(s *discoveryv1.EndpointSlice) { s.Ports[0] = discoveryv1.EndpointPort{Port: new(int32(7070))} }),
			aSlice([]string{"fd00::1"}, v6, of("web", "web-7")),
		}, "10.244.1.10:7070 10.244.1.10:8080 10.244.1.10:9090", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := planned(t, options, append(test.slices, aService(internalLocal), aNode())...)
			want := `
			default/web/tcp/IPv4
			  cluster 10.96.0.1:80 local
			  -> ` + test.cluster
			if test.local != "" {
				want += "\n  local -> " + test.local
			}
			wantPlan(t, p, want)
			wantProblems(t, p)
		})
	}
}

// TestHintsWithoutNode: hints for no zone are not for a node without one.
func TestHintsWithoutNode(t *testing.T) {
	p := planned(t, options, aService(), aSlice([]string{"10.244.2.10", "10.244.2.11"}, at(zones(""), 0), at(zones("z1"), 1)))
	wantPlan(t, p, `
		default/web/tcp/IPv4
		  cluster 10.96.0.1:80
		  -> 10.244.2.10:8080 10.244.2.11:8080`)
	if diff := cmp.Diff([]string{"Node /n1 : is not there: nothing is known of its addresses, its pods' addresses or its zone"}, problemTexts(p)); diff != "" {
		t.Error(diff)
	}
}

func TestHealthChecks(t *testing.T) {
	check := func(s *corev1.Service) {
		balanced("203.0.113.5")(s)
		externalLocal(s)
		s.Spec.HealthCheckNodePort = 31000
	}
	two := func(s *corev1.Service) {
		dual(s)
		s.Spec.Ports = []corev1.ServicePort{{Name: "a", Port: 80}, {Name: "b", Port: 81}}
	}
	ports := func(s *discoveryv1.EndpointSlice) {
		s.Ports = []discoveryv1.EndpointPort{{Name: new("a"), Port: new(int32(1))}, {Name: new("b"), Port: new(int32(2))}}
	}
	for name, test := range map[string]struct {
		objects []metav1.Object
		want    map[plan.Service]plan.HealthCheck
	}{
		"no policy":        {[]metav1.Object{aService(check, func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = "Cluster" })}, nil},
		"no load balancer": {[]metav1.Object{aService(check, nodePort(30000))}, nil},
		"no endpoints":     {[]metav1.Object{aService(check)}, health(0)},
		"one here is ready": {[]metav1.Object{aService(check),
			aSlice([]string{"10.244.1.10", "10.244.1.11", "10.244.1.12", "10.244.2.10"}, at(here, 0, 1, 2), at(draining, 1), at(notReady, 2))}, health(1)},
		"published, and leaving": {[]metav1.Object{aService(check), aSlice([]string{"10.244.1.10"}, at(here, 0), at(published, 0))}, health(1)},
		"only draining ones":     {[]metav1.Object{aService(check), aSlice([]string{"10.244.1.10"}, at(here, 0), at(draining, 0))}, health(0)},
		"two ports, two families, two slices": {[]metav1.Object{aService(check, two),
			aSlice([]string{"10.244.1.10"}, at(here, 0), ports),
			aSlice([]string{"10.244.1.10"}, at(here, 0), of("web", "web-2"), ports),
			aSlice([]string{"fd00:244:1::10", "fd00:244:1::11"}, at(here, 0, 1), v6, of("web", "web-3"), ports)}, health(2)},
	} {
		t.Run(name, func(t *testing.T) {
			p := planned(t, options, test.objects...)
			if diff := cmp.Diff(test.want, p.Plan().HealthChecks, equateEmpty); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func health(ready int) map[plan.Service]plan.HealthCheck {
	return map[plan.Service]plan.HealthCheck{{Namespace: "default", Name: "web"}: {Port: 31000, Ready: ready}}
}

var equateEmpty = cmp.FilterValues(func(a, b map[plan.Service]plan.HealthCheck) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore())

// Flows of UDP to an endpoint that is chosen for nothing new live on while it
// serves. TCP needs no such list.
func TestLeaving(t *testing.T) {
	three := []string{"10.244.1.10", "10.244.2.10", "10.244.2.11"}
	for protocol, want := range map[corev1.Protocol][]netip.AddrPort{
		corev1.ProtocolUDP: {netip.MustParseAddrPort("10.244.1.10:8080"), netip.MustParseAddrPort("10.244.2.11:8080")},
		corev1.ProtocolTCP: nil,
	} {
		service := aService(func(s *corev1.Service) { s.Spec.Ports[0].Protocol = protocol })
		// One drains, one is for another zone, and one is gone for good.
		slice := aSlice(append(three, "10.244.2.12"), at(zones("z1"), 1), at(zones("z2"), 2), at(draining, 0), at(notReady, 3),
			func(s *discoveryv1.EndpointSlice) { s.Ports[0].Protocol = &protocol })
		p := planned(t, options, service, slice, aNode())
		for id, port := range p.Plan().Ports {
			if !slices.Equal(port.Leaving, want) || len(port.Cluster) != 1 {
				t.Errorf("%s: leaving %v, want %v, beside %v", id, port.Leaving, want, port.Cluster)
			}
		}
	}
}
