package l4

import (
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport-ingress/sallyport/test/cluster"
	"github.com/sallyport-ingress/sallyport/test/l4/lab"
)

// changeRows are about what changes while the proxier runs.
func changeRows() []row {
	both := "80 80/udp"
	from := "client,p2,edge"
	nobody := from + ` tcp,udp vips:80,lbs:80,xips:80 = passes
		` + from + ` tcp,udp nodes:80 = refused
		edge tcp,udp lo:80,lo6:80 = refused`
	return []row{
		{name: "endpoints come and go", steps: []step{
			then(from+` tcp,udp all:80 = p1`, service("web", both, everywhere), endpoints("web", p1)),
			then(from+` tcp,udp all:80 = p1 n2a`, service("web", both, everywhere), endpoints("web", p1, n2a)),
			then(from+` tcp,udp all:80 = n2a n2b`, service("web", both, everywhere), endpoints("web", n2a, n2b)),
			then(from+` tcp,udp all:80 = refused`, service("web", both, everywhere), endpoints("web")),
			then(from+` tcp,udp all:80 = p1 p2 n2a n2b`, service("web", both, everywhere), endpoints("web", p1, p2, n2a, n2b)),
		}},
		{name: "a Service comes and goes", steps: []step{
			then(nobody+"\n"+`client tcp api.vip:80 = refused`, service("api", "80")),
			then(from+` tcp,udp all:80 = p1`, service("web", both, everywhere), endpoints("web", p1)),
			then(nobody),
			then(from+` tcp,udp all:80 = n2a`, service("web", both, everywhere), endpoints("web", n2a)),
		}},
		{name: "the type changes", steps: []step{
			then(from+` tcp vips:80,nodes:80 = p1`, service("web", "80", nodePorts), endpoints("web", p1)),
			then(from+` tcp vips:80 = passes`, service("web", "80", externalName)),
			then(from+` tcp vips:80 = p1`, service("web", "80"), endpoints("web", p1)),
			then(from+` tcp vips:80,nodes:80,lbs:80 = p1`, service("web", "80", balancer), endpoints("web", p1)),
			then(from+` tcp vips:80 = p1`+"\n"+from+` tcp lbs:80 = passes`, service("web", "80"), endpoints("web", p1)),
			then(from+` tcp vips:80 = passes`, service("web", "80", headless), endpoints("web", p1)),
		}},
		{name: "a port changes", steps: []step{
			then(from+` tcp vips:80 = p1`, service("web", "80"), endpoints("web", p1)),
			then(from+` tcp vips:81 = p1:9090`+"\n"+from+` tcp vips:80 = refused`, service("web", "81:9090"), endpoints("web", p1)),
			then(from+` udp vips:81 = p1`+"\n"+from+` tcp vips:81 = refused`, service("web", "81/udp"), endpoints("web", p1)),
		}},
		{name: "a node port moves to UDP", steps: []step{
			then(from+` tcp nodes:80 = p1`, service("web", "80", nodePorts), endpoints("web", p1)),
			then(from+` udp nodes:80 = p1`, service("web", "80/udp", nodePorts), endpoints("web", p1)),
		}},
		{name: "the policy changes", steps: []step{
			then(`client,n2 tcp nodes:80 = n2a sees node`, service("web", "80", nodePorts), endpoints("web", n2a)),
			then(`client,n2 tcp nodes:80 = dropped`, service("web", "80", nodePorts, external), endpoints("web", n2a)),
			then(`client,n2 tcp nodes:80 = p1 sees own`, service("web", "80", nodePorts, external), endpoints("web", p1, n2a)),
			then(`client,n2 tcp nodes:80 = p1 n2a sees node`, service("web", "80", nodePorts), endpoints("web", p1, n2a)),
		}},
		{name: "sources change", steps: []step{
			then(`client,n2 tcp lbs:80 = p1`, service("web", "80", balancer), endpoints("web", p1)),
			then(`client tcp lbs:80 = p1`+"\n"+`n2 tcp lbs:80 = dropped`, service("web", "80", balancer, sources("203.0.113.0/24", "2001:db8:e::/64")), endpoints("web", p1)),
			then(`n2 tcp lbs:80 = p1`+"\n"+`client tcp lbs:80 = dropped`, service("web", "80", balancer, sources("192.0.2.12/32", "2001:db8:a::12/128")), endpoints("web", p1)),
			then(`client,n2 tcp lbs:80 = p1`, service("web", "80", balancer), endpoints("web", p1)),
		}},
		{name: "the balance changes", steps: []step{
			then(`client tcp vips:80 = p1 n2a`, service("web", "80"), endpoints("web", p1, n2a)),
			then(`client tcp vips:80 = sticks p1 n2a`, service("web", "80", balance("maglev")), endpoints("web", p1, n2a)),
			then(`client tcp vips:80 = p1 n2a`, service("web", "80", balance("round-robin")), endpoints("web", p1, n2a)),
			then(`client tcp vips:80 = sticks p1 n2a`, service("web", "80", balance("source-hash")), endpoints("web", p1, n2a)),
		}},
		{name: "a load balancer's address comes", steps: []step{
			then(`client,p2 tcp lbs:80 = passes`, service("web", "80", balancer, changed(func(s *corev1.Service) { s.Status = corev1.ServiceStatus{} })), endpoints("web", p1)),
			then(`client,p2 tcp lbs:80 = p1`, service("web", "80", balancer), endpoints("web", p1)),
		}},
	}
}

// then is a step of packets alone.
func then(packets string, objects ...thing) step { return step{objects: objects, packets: packets} }

// flowRows are about what was under way when something changed.
func flowRows() []row {
	web := func() thing { return service("web", "80 80/udp", everywhere) }
	places := []string{"vip:80", "vip6:80", "primary:80", "node6:80", "lb:80"}
	move := func(to string) func(t *testing.T, r *running) {
		return func(t *testing.T, r *running) {
			for _, place := range places {
				for _, from := range []string{"client", "p2"} {
					r.moves(t, from, place, to)
				}
			}
		}
	}
	return []row{
		{name: "UDP flows", steps: []step{
			{objects: []thing{web(), endpoints("web", p1)}, also: move("p1")},
			{objects: []thing{web(), endpoints("web", n2a)}, also: move("n2a")},
			{objects: []thing{web(), endpoints("web")}, also: move("")},
			{objects: []thing{web(), endpoints("web", n2b)}, also: move("n2b")},
		}},
		{name: "UDP flows that began too early", steps: []step{
			{objects: []thing{web(), endpoints("web")}, also: move("")},
			{objects: []thing{web(), endpoints("web", p1)}, also: move("p1")},
		}},
		{name: "UDP flows of an endpoint that stays", steps: []step{
			{objects: []thing{web(), endpoints("web", p1)}, also: move("p1")},
			{objects: []thing{web(), endpoints("web", p1, n2a, n2b)}, also: func(t *testing.T, r *running) {
				for _, place := range places {
					r.stayed(t, "client", "udp", place, "p1")
				}
			}},
		}},
		{name: "TCP connections to an endpoint that goes", steps: []step{
			{objects: []thing{web(), endpoints("web", p1)}, also: func(t *testing.T, r *running) {
				for _, place := range places {
					r.stayed(t, "client", "tcp", place, "p1")
				}
			}},
			{objects: []thing{web(), endpoints("web", n2a)}, packets: `client tcp all:80 = n2a`, also: func(t *testing.T, r *running) {
				for _, place := range places {
					r.stayed(t, "client", "tcp", place, "p1")
				}
			}},
			{objects: []thing{web(), endpoints("web")}, packets: `client tcp all:80 = refused`, also: func(t *testing.T, r *running) {
				for _, place := range places {
					r.stayed(t, "client", "tcp", place, "p1")
				}
			}},
		}},
	}
}

// moves waits until a flow that was under way is with another endpoint; "" is
// that it is refused. Flows are moved soon after a change is in force, not with it.
func (r *running) moves(t *testing.T, from, place, to string) {
	t.Helper()
	f := r.flow(t, from, "udp", place)
	cluster.Eventually(t, fmt.Sprintf("%s to %s: goes to %q", from, place, to), func() error {
		got := f.Ask(silence)
		if to == "" && got.Outcome == lab.Refused || to != "" && got.Outcome == lab.Answered && endpointName(got.Endpoint) == to {
			return nil
		}
		return errors.New(got.String())
	})
}

// stayed holds that a flow goes on where it was.
func (r *running) stayed(t *testing.T, from, network, place, at string) {
	t.Helper()
	got := r.flow(t, from, network, place).Ask(patience)
	if got.Outcome != lab.Answered || endpointName(got.Endpoint) != at {
		t.Errorf("%s %s to %s: %v, want it still with %s", from, network, place, got, at)
	}
}
