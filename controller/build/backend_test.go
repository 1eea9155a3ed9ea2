package build

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// Addresses: pods 10.0.0.0/24, Service "default/web".
var web = store.Key{Namespace: "default", Name: "web"}

func service(mutate func(*corev1.ServiceSpec), ports ...corev1.ServicePort) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}}
	s.Spec.Ports = ports
	if mutate != nil {
		mutate(&s.Spec)
	}
	return s
}

func slice(port int32, name string, endpoints ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
		Endpoints:   endpoints,
	}
}

// endpoint has its conditions as letters: r ready, s serving, t terminating;
// capital: no. What is left out is unsaid.
func endpoint(address, conditions string) discoveryv1.Endpoint {
	e := discoveryv1.Endpoint{Addresses: []string{address}}
	yes, no := true, false
	for _, c := range conditions {
		switch c {
		case 'r':
			e.Conditions.Ready = &yes
		case 'R':
			e.Conditions.Ready = &no
		case 's':
			e.Conditions.Serving = &yes
		case 'S':
			e.Conditions.Serving = &no
		case 't':
			e.Conditions.Terminating = &yes
		}
	}
	return e
}

func TestBackend(t *testing.T) {
	http := corev1.ServicePort{Name: "http", Port: 80, TargetPort: intstr.FromString("web")}
	metrics := corev1.ServicePort{Name: "metrics", Port: 9090}
	byNumber := networkingv1.ServiceBackendPort{Number: 80}
	byName := networkingv1.ServiceBackendPort{Name: "http"}
	headless := func(s *corev1.ServiceSpec) { s.ClusterIP = corev1.ClusterIPNone }
	external := func(s *corev1.ServiceSpec) { s.Type, s.ExternalName = corev1.ServiceTypeExternalName, "x.example.org" }

	for _, test := range []struct {
		name      string
		service   *corev1.Service
		port      networkingv1.ServiceBackendPort
		slices    []*discoveryv1.EndpointSlice
		addresses []string // of x.example.org
		want      []string
	}{
		{"no service", nil, byNumber, []*discoveryv1.EndpointSlice{slice(8080, "http", endpoint("10.0.0.1", ""))}, nil, nil},
		{"no such port", service(nil, metrics), byNumber, []*discoveryv1.EndpointSlice{slice(8080, "http", endpoint("10.0.0.1", ""))}, nil, nil},
		{"a UDP port of that number is none", service(nil, corev1.ServicePort{Port: 80, Protocol: corev1.ProtocolUDP}), byNumber,
			[]*discoveryv1.EndpointSlice{slice(8080, "", endpoint("10.0.0.1", ""))}, nil, nil},
		{"bad addresses are left out", service(nil, http), byNumber, []*discoveryv1.EndpointSlice{
			slice(8080, "http", endpoint("10.0.0.01", ""), endpoint("x", ""), endpoint("", ""), endpoint("10.0.0.1;", ""), endpoint("fe80::1%eth0", ""), endpoint("10.0.0.2", "")),
		}, nil, []string{"10.0.0.2:8080"}},
		{"bad ports are left out", service(nil, http), byNumber, []*discoveryv1.EndpointSlice{
			slice(0, "http", endpoint("10.0.0.1", "")), slice(65536, "http", endpoint("10.0.0.2", "")), slice(-1, "http", endpoint("10.0.0.3", "")),
		}, nil, nil},
		{"by number and by name are the same", service(nil, metrics, http), byName,
			[]*discoveryv1.EndpointSlice{slice(8080, "http", endpoint("10.0.0.1", ""))}, nil, []string{"10.0.0.1:8080"}},
		{"the other port's slice is not ours", service(nil, metrics, http), byNumber,
			[]*discoveryv1.EndpointSlice{slice(9090, "metrics", endpoint("10.0.0.1", ""))}, nil, nil},
		{"several slices, other numbers, no duplicates, sorted", service(nil, http), byNumber, []*discoveryv1.EndpointSlice{
			slice(8081, "http", endpoint("10.0.0.2", "r"), endpoint("10.0.0.1", "r")), slice(8080, "http", endpoint("10.0.0.1", "r")), slice(8080, "http", endpoint("10.0.0.1", "r")),
		}, nil, []string{"10.0.0.1:8080", "10.0.0.1:8081", "10.0.0.2:8081"}},
		{"unsaid is ready, not ready is left out", service(nil, http), byNumber, []*discoveryv1.EndpointSlice{
			slice(8080, "http", endpoint("10.0.0.1", ""), endpoint("10.0.0.2", "R"), endpoint("10.0.0.3", "Rst")),
		}, nil, []string{"10.0.0.1:8080"}},
		{"terminating but serving when nothing is ready", service(nil, http), byNumber, []*discoveryv1.EndpointSlice{
			slice(8080, "http", endpoint("10.0.0.1", "RSt"), endpoint("10.0.0.2", "Rst"), endpoint("10.0.0.3", "Rs")),
		}, nil, []string{"10.0.0.2:8080"}},
		{"dual stack", service(nil, http), byNumber, []*discoveryv1.EndpointSlice{
			slice(8080, "http", endpoint("10.0.0.1", "")), slice(8080, "http", endpoint("fd00::1", "")),
		}, nil, []string{"10.0.0.1:8080", "[fd00::1]:8080"}},
		{"headless without ports", service(headless), networkingv1.ServiceBackendPort{Number: 8080}, []*discoveryv1.EndpointSlice{
			{AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{endpoint("10.0.0.1", "")}},
		}, nil, []string{"10.0.0.1:8080"}},
		{"external name, not to this machine", service(external), byNumber, nil, []string{"192.0.2.1", "127.0.0.1", "::1", "169.254.169.254", "0.0.0.0", "::ffff:127.0.0.1"}, []string{"192.0.2.1:80"}},
		{"external name with a target port", service(external, corev1.ServicePort{Port: 80, TargetPort: intstr.FromInt32(8080)}), byNumber, nil, []string{"192.0.2.1"}, []string{"192.0.2.1:8080"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &store.Snapshot{Services: map[store.Key]*corev1.Service{}, Slices: map[store.Key]map[string]*discoveryv1.EndpointSlice{web: {}}, Addresses: map[string]store.Resolution{}}
			if test.service != nil {
				s.Services[web] = test.service
			}
			for i, sl := range test.slices {
				s.Slices[web][string(rune('a'+i))] = sl
			}
			var r store.Resolution
			for _, a := range test.addresses {
				r.Addresses = append(r.Addresses, netip.MustParseAddr(a))
			}
			s.Addresses["x.example.org"] = r
			got := New(Options{}).Backend(s, BackendRef{Service: web, Port: test.port})
			if diff := cmp.Diff(test.want, addresses(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func addresses(b model.Backend) []string {
	var list []string
	for _, e := range b.Endpoints {
		list = append(list, e.Address.String())
	}
	return list
}

// Hints of zones count where each endpoint that serves has them and one is for
// our zone.
func TestHintsOfZones(t *testing.T) {
	in := func(address, conditions string, zones ...string) discoveryv1.Endpoint {
		e := endpoint(address, conditions)
		for _, z := range zones {
			if e.Hints == nil {
				e.Hints = &discoveryv1.EndpointHints{}
			}
			e.Hints.ForZones = append(e.Hints.ForZones, discoveryv1.ForZone{Name: z})
		}
		return e
	}
	all := []discoveryv1.Endpoint{in("10.0.0.1", "r", "a"), in("10.0.0.2", "r", "b"), in("10.0.0.3", "r", "b", "a"), in("10.0.0.4", "Rst", "a")}
	for _, c := range []struct {
		name, zone string
		endpoints  []discoveryv1.Endpoint
		want       string
	}{
		{"no zone", "", all, "10.0.0.1 10.0.0.2 10.0.0.3"},
		{"ours", "a", all, "10.0.0.1 10.0.0.3"},
		{"another", "b", all, "10.0.0.2 10.0.0.3"},
		{"for nobody in ours", "c", all, "10.0.0.1 10.0.0.2 10.0.0.3"},
		{"one without a hint", "a", append(all[:3:3], in("10.0.0.5", "r")), "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.5"},
		{"one that does not serve is without", "a", append(all[:3:3], in("10.0.0.5", "R")), "10.0.0.1 10.0.0.3"},
		{"only those that end", "a", []discoveryv1.Endpoint{in("10.0.0.4", "Rst", "a"), in("10.0.0.6", "Rst", "b")}, "10.0.0.4 10.0.0.6"},
	} {
		s := &store.Snapshot{
			Zone:     c.zone,
			Services: map[store.Key]*corev1.Service{web: service(nil, corev1.ServicePort{Port: 80})},
			Slices:   map[store.Key]map[string]*discoveryv1.EndpointSlice{web: {"s": slice(8080, "", c.endpoints...)}},
		}
		ref := BackendRef{Service: web, Port: networkingv1.ServiceBackendPort{Number: 80}}
		var got []string
		for _, e := range New(Options{}).Backend(s, ref).Endpoints {
			got = append(got, e.Address.Addr().String())
		}
		if diff := cmp.Diff(strings.Fields(c.want), got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", c.name, diff)
		}
	}
}
