package ipvs

import (
	"testing"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Who answers, and what it sees, from everywhere.
func TestKernelFrontends(t *testing.T) {
	n := newNode(t)
	n.serve("p1", 8080)
	n.serve("node", 9999)
	d := n.start(Options{})
	d.sync(planOf(web(plan.IPv4, "10.244.1.10:8080"), web(plan.IPv6, "[fd00:244:1::10]:8080")))

	const gate, gate6 = "10.244.1.1", "fd00:244:1::1" // what the node sends to a pod comes from
	n.expect("client", "10.96.0.10:80", "p1 "+gate)
	n.expect("p2", "10.96.0.10:80", "p1 10.244.1.11")
	n.expect("node", "10.96.0.10:80", "p1 "+gate)
	n.expect("client", "[fd00:96::10]:80", "p1 "+gate6)
	n.expect("p2", "[fd00:96::10]:80", "p1 fd00:244:1::11")
	n.expect("node", "[fd00:96::10]:80", "p1 "+gate6)
	for _, to := range []string{"198.51.100.10:80", "198.51.100.20:80", nodeIP + ":30080"} {
		for _, from := range []string{"client", "p2", "node", "p1"} {
			n.expect(from, to, "p1 "+gate)
		}
	}
	for _, to := range []string{"[2001:db8:b::10]:80", "[2001:db8:b::20]:80", "[" + nodeIP6 + "]:30080"} {
		for _, from := range []string{"client", "p2", "node", "p1"} {
			n.expect(from, to, "p1 "+gate6)
		}
	}
	// A hairpin.
	n.expect("p1", "10.96.0.10:80", "p1 "+gate)
	n.expect("p1", "[fd00:96::10]:80", "p1 "+gate6)
	// Ports that nobody serves, and one at which a process of the node listens.
	for _, from := range []string{"client", "p2", "node"} {
		for _, to := range []string{"10.96.0.10:81", "10.96.0.10:9999", "198.51.100.10:9999", "[fd00:96::10]:81", "[fd00:96::10]:9999"} {
			n.expect(from, to, "refused")
		}
	}
	// The node's own addresses are open as before.
	if got := n.call("client", "tcp", nodeIP+":9999"); got != "node 192.0.2.7" {
		t.Errorf("a process of the node answers %q at the node's own address", got)
	}
}

func TestKernelNoEndpoints(t *testing.T) {
	n := newNode(t)
	d := n.start(Options{})
	d.sync(planOf(web(plan.IPv4), web(plan.IPv6)))
	for _, from := range []string{"client", "p2", "node"} {
		for _, to := range []string{
			"10.96.0.10:80", "198.51.100.10:80", "198.51.100.20:80", nodeIP + ":30080",
			"[fd00:96::10]:80", "[2001:db8:b::10]:80", "[" + nodeIP6 + "]:30080",
		} {
			n.expect(from, to, "refused")
		}
	}
}

func TestKernelLocalPolicy(t *testing.T) {
	n := newNode(t)
	n.serve("p1", 8080)
	n.serve("client", 8080) // plays a pod of another node
	d := n.start(Options{})
	const elsewhere = "192.0.2.7:8080"
	d.sync(planOf(externally(web(plan.IPv4, "10.244.1.10:8080", elsewhere))))
	for _, to := range []string{"198.51.100.10:80", "198.51.100.20:80", nodeIP + ":30080"} {
		n.expect("client", to, "p1 192.0.2.7")
		n.expect("p2", to, "p1 10.244.1.11")
		n.expect("node", to, "p1 10.244.1.1")
	}
	// None here: dropped for outsiders, and the node and its pods get the other.
	d.sync(planOf(externally(web(plan.IPv4, elsewhere))))
	for _, to := range []string{"198.51.100.10:80", "198.51.100.20:80", nodeIP + ":30080"} {
		n.expect("client", to, "dropped")
		n.expect("p2", to, "client 10.244.1.11")
		n.expect("node", to, "client "+nodeIP)
	}
	// Internally.
	d.sync(planOf(both("web", plan.IPv4, func(p *plan.Port) {
		p.Frontends = []plan.Frontend{local(at(plan.ClusterIP, "10.96.0.10", 80))}
		p.Cluster = to(elsewhere)
	})))
	for _, from := range []string{"client", "p2", "node"} {
		n.expect(from, "10.96.0.10:80", "dropped")
	}
}

func TestKernelSources(t *testing.T) {
	n := newNode(t)
	n.serve("p1", 8080)
	d := n.start(Options{})
	guarded := func(from ...string) *plan.Plan {
		return planOf(both("web", plan.IPv4, func(p *plan.Port) {
			p.Frontends = []plan.Frontend{sources(at(plan.LoadBalancerIP, "198.51.100.10", 80), from...)}
			p.Cluster = to("10.244.1.10:8080")
		}))
	}
	const all, yes, no = "198.51.100.10:80", "p1 10.244.1.1", "dropped"
	for _, row := range []struct {
		from             []string
		client, p2, node string
	}{
		{[]string{"192.0.2.7/32"}, yes, no, no},
		{[]string{"10.244.1.0/24"}, no, yes, no},
		{[]string{"192.0.2.11/32", "10.0.0.0/8"}, no, yes, yes},
		{[]string{"0.0.0.0/0"}, yes, yes, yes},
		{nil, no, no, no},
	} {
		d.sync(guarded(row.from...))
		n.expect("client", all, row.client)
		n.expect("p2", all, row.p2)
		n.expect("node", all, row.node)
	}
}
