package l4

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/test/l4/lab"
)

// older makes a Service as old as its years.
func older(years int) option {
	return func(_ *numbers, s *corev1.Service) {
		s.CreationTimestamp = metav1.NewTime(time.Date(2026-years, 1, 1, 0, 0, 0, 0, time.UTC))
	}
}

// addressed sets the addresses of a slice's further endpoints.
func addressed(texts ...string) func(*discoveryv1.EndpointSlice) {
	return func(s *discoveryv1.EndpointSlice) {
		for _, text := range texts {
			s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{text}})
		}
	}
}

// claim takes what is the first Service's.
func claim(change func(n *numbers, s *corev1.Service)) option { return change }

// hostileRows are about objects that ask for what they can't have, beside good
// ones.
func hostileRows() []row {
	sameNodePort := claim(func(n *numbers, s *corev1.Service) { s.Spec.Ports[0].NodePort = n.nodePort("web", 0) })
	sameExternalIP := claim(func(n *numbers, s *corev1.Service) { s.Spec.ExternalIPs = []string{n.address("web", "xip").String()} })
	clusterIPOfOther := claim(func(n *numbers, s *corev1.Service) {
		s.Spec.ExternalIPs = []string{n.address("web", "vip").String(), n.address("web", "vip6").String()}
	})
	bad := func(name, packets string, objects ...thing) row {
		r := one(name, packets, objects...)
		r.hostile = true
		return r
	}
	return []row{
		bad("bad addresses beside good ones", `client,p2 tcp vips:80 = p1 n2a`,
			service("web", "80"), endpoints("web", p1), slice("web", "-bad", addressed(
				"10.244.001.010", "010.244.1.10", "fd00:10:244:1::10%eth0", "::ffff:10.244.1.10", "127.0.0.1", "::1",
				"169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "", "nowhere", "10.244.1.300"), n2a)),
		bad("IPv6 in an IPv4 slice", `client,p2 tcp vips:80 = p1`,
			service("web", "80"), endpoints("web", p1), slice("web", "-bad", func(s *discoveryv1.EndpointSlice) {
				wrong := lab.N2A6
				if s.AddressType == discoveryv1.AddressTypeIPv6 {
					wrong = lab.N2A4
				}
				addressed(wrong)(s)
			})),
		bad("port 0", `client,p2 tcp vips:80 = p1`, service("web", "80"), endpoints("web", p1), slice("web", "-bad", toPort(0), n2a)),
		bad("port 65536", `client,p2 tcp vips:80 = p1`, service("web", "80"), endpoints("web", p1), slice("web", "-bad", toPort(65536), n2a)),
		bad("a negative port", `client,p2 tcp vips:80 = p1`, service("web", "80"), endpoints("web", p1), slice("web", "-bad", toPort(-80), n2a)),
		bad("a Service port out of range", `client,p2 tcp vips:80,nodes:80 = p1`,
			service("web", "80 65536 0", nodePorts), endpoints("web", p1)),
		bad("a bad ClusterIP", `client,p2 tcp web.vips:80 = p1`,
			service("web", "80"), endpoints("web", p1),
			service("bad", "80", changed(func(s *corev1.Service) { s.Spec.ClusterIP, s.Spec.ClusterIPs = "10.96.0.08", []string{"10.96.0.08"} })), endpoints("bad", p2)),
		bad("bad external IPs", `client,p2 tcp vips:80,xips:80 = p1`,
			service("web", "80", externalIPs, changed(func(s *corev1.Service) {
				s.Spec.ExternalIPs = append(s.Spec.ExternalIPs, "127.0.0.1", "::1", "0.0.0.0", "198.019.1.1", "224.0.0.5", "169.254.1.1", "")
			})), endpoints("web", p1)),
		bad("bad source ranges", `client tcp lbs:80 = p1
			n2,p2 tcp lbs:80 = dropped`,
			service("web", "80", balancer, sources("203.0.113.0/24", "2001:db8:e::/64", "all", "10.0.0.0/33", "010.244.0.0/16")), endpoints("web", p1)),
		bad("bad source ranges alone", `client,n2,p2,edge tcp lbs:80 = dropped`,
			service("web", "80", balancer, sources("everybody")), endpoints("web", p1)),
		bad("a bad affinity", `client tcp vips:80 = sticks p1 n2a`, service("web", "80", affinity(-1)), endpoints("web", p1, n2a)),
		bad("a protocol that nobody knows", `client tcp vips:80 = p1`,
			service("web", "80 443", changed(func(s *corev1.Service) { s.Spec.Ports[1].Protocol = "QUIC" })), endpoints("web", p1)),
		bad("5,000 endpoints", `client tcp api.vips:80,api.nodes:80 = p1`,
			service("web", "80", nodePorts), slice("web", "", many), service("api", "80", nodePorts), endpoints("api", p1)),
		{name: "one node port, two Services", hostile: true, steps: []step{
			{objects: []thing{
				service("web", "80", nodePorts, older(2)), endpoints("web", p1),
				service("thief", "80", nodePorts, sameNodePort, older(1)), endpoints("thief", p2),
			}, packets: `client,n2,edge tcp web.nodes:80,web.vips:80 = p1
				client,n2,edge tcp thief.vips:80 = p2`},
			{objects: []thing{service("thief", "80", nodePorts, sameNodePort, older(1)), endpoints("thief", p2)},
				packets: `client,n2,edge tcp web.nodes:80 = p2`},
			{objects: []thing{
				service("thief", "80", nodePorts, sameNodePort, older(1)), endpoints("thief", p2),
				service("web", "80", nodePorts, older(2)), endpoints("web", p1),
			}, packets: `client,n2,edge tcp web.nodes:80 = p1`},
		}},
		{name: "one external IP, two Services", steps: []step{{
			objects: []thing{
				service("web", "80", externalIPs, older(2)), endpoints("web", p1),
				service("thief", "80 443", sameExternalIP, older(1)), endpoints("thief", p2),
			},
			packets: `client,n2,edge tcp web.xip:80 = p1
				client,n2,edge tcp web.xip:443,thief.vips:80 = p2`,
		}}, hostile: true},
		bad("an external IP that is another's ClusterIP", `client,p2,edge tcp web.vips:80 = p1`,
			service("web", "80", older(1)), endpoints("web", p1),
			service("thief", "80", clusterIPOfOther, older(5)), endpoints("thief", p2)),
	}
}

// many fills a slice with endpoints that nobody is at.
func many(s *discoveryv1.EndpointSlice) {
	form := "10.244.%d.%d"
	if s.AddressType == discoveryv1.AddressTypeIPv6 {
		form = "fd00:10:244:3::%x:%x"
	}
	for i := range 5000 {
		addressed(fmt.Sprintf(form, 3+i/250, 1+i%250))(s)
	}
}

// healthRows are about health-check node ports.
func healthRows() []row {
	web := service("web", "80 443", balancer, external)
	return []row{{name: "health-check node port", steps: []step{
		{objects: []thing{web, endpoints("web", p1, p2, n2a)}, also: func(t *testing.T, r *running) { r.health(t, 200, 2) }},
		{objects: []thing{web, endpoints("web", p1.terminating(), p2.unready(), n2a)}, also: func(t *testing.T, r *running) { r.health(t, 503, 0) }},
		{objects: []thing{web, endpoints("web", p2)}, also: func(t *testing.T, r *running) { r.health(t, 200, 1) }},
		{objects: []thing{web}, also: func(t *testing.T, r *running) { r.health(t, 503, 0) }},
		{objects: []thing{service("web", "80", balancer)}, also: func(t *testing.T, r *running) {
			if _, _, err := get(r.Client, r.healthURL(lab.Edge4)); err == nil {
				t.Error("it answers though the policy is Cluster")
			}
		}},
	}}}
}

func (r *running) healthURL(host string) string {
	return fmt.Sprintf("http://%s:%d/any", host, r.n.healthPort("web"))
}

// health asks the port at the node's addresses.
func (r *running) health(t *testing.T, status, local int) {
	t.Helper()
	for _, host := range []string{lab.Edge4, "[" + lab.Edge6 + "]"} {
		got, body, err := request(r.Client, r.healthURL(host))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		var said struct {
			Service             struct{ Namespace, Name string }
			LocalEndpoints      *int
			ServiceProxyHealthy bool
		}
		if err := json.Unmarshal([]byte(body), &said); err != nil {
			t.Errorf("%s: %v: %s", host, err, body)
			continue
		}
		weight := got.Header.Get("X-Load-Balancing-Endpoint-Weight")
		if got.StatusCode != status || said.LocalEndpoints == nil || *said.LocalEndpoints != local || weight != fmt.Sprint(local) ||
			said.Service.Namespace != r.n.namespace || said.Service.Name != "web" || !said.ServiceProxyHealthy ||
			!strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %s, weight %q, %s; want %d %s with %d local endpoints", host, got.Status, weight, body, status, http.StatusText(status), local)
		}
	}
}
