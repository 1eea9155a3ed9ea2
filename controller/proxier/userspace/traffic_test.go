package userspace

import (
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

func port(name string, p plan.Protocol, f plan.Family, fronts []plan.Frontend, endpoints ...plan.Endpoint) *plan.Port {
	return &plan.Port{
		ID:        plan.ID{Service: plan.Service{Namespace: "default", Name: name}, Protocol: p, Family: f},
		Frontends: fronts, Cluster: endpoints,
	}
}

func at(s string, local bool) plan.Endpoint {
	return plan.Endpoint{Address: netip.MustParseAddrPort(s), Weight: 1, Local: local}
}

func clusterIP(s string) plan.Frontend { return frontend(plan.ClusterIP, s) }

func TestTraffic(t *testing.T) {
	l := newLab(t)
	for _, p := range l.pods {
		p.serve(t, 8080)
	}
	ext4 := plan.Frontend{Kind: plan.LoadBalancerIP, Address: netip.MustParseAddr("198.51.100.1"), Port: 80, Local: true}
	np := plan.Frontend{Kind: plan.NodePort, Port: 30080}
	npLocal := plan.Frontend{Kind: plan.NodePort, Port: 30081, Local: true}
	npNone := plan.Frontend{Kind: plan.NodePort, Port: 30082, Local: true}
	add := func(p *plan.Port) { l.ports[p.ID] = p }
	for _, proto := range []plan.Protocol{plan.TCP, plan.UDP} {
		one := port("one", proto, plan.IPv4, []plan.Frontend{clusterIP("10.96.0.1:80"), np}, at("10.1.0.2:8080", true))
		add(one)
		add(port("one", proto, plan.IPv6, []plan.Frontend{clusterIP("[fd00:96::1]:80"), np}, at("[fd00:1:0::2]:8080", true)))
		loc := port("local", proto, plan.IPv4, []plan.Frontend{npLocal, ext4}, at("10.1.0.2:8080", true))
		loc.Local = loc.Cluster
		add(loc)
		add(port("none-local", proto, plan.IPv4, []plan.Frontend{npNone}, at("10.1.0.2:8080", false)))
		add(port("empty", proto, plan.IPv4, []plan.Frontend{clusterIP("10.96.0.2:80")}))
		limited := clusterIP("198.51.100.3:80")
		limited.Kind, limited.Sources = plan.LoadBalancerIP, prefixes("10.1.1.0/24", "192.0.2.1/32")
		add(port("limited", proto, plan.IPv4, []plan.Frontend{limited}, at("10.1.0.2:8080", true)))
		add(port("bridged", proto, plan.IPv4, []plan.Frontend{clusterIP("10.96.0.3:80")}, at("10.2.0.2:8080", true)))
		add(port("dead", proto, plan.IPv4, []plan.Frontend{clusterIP("10.96.0.4:80")}, at("10.1.0.2:9", true), at("10.1.1.2:8080", true)))
	}
	// Endpoints on the node's own network, one at the very address of its Service.
	node := &place{name: "node", enter: make(chan func())}
	go func() {
		for f := range node.enter {
			f()
		}
	}()
	t.Cleanup(func() { close(node.enter) })
	node.serve(t, 8081)
	for _, number := range []string{"81", "8081"} {
		host := port("host-"+number, plan.TCP, plan.IPv4, []plan.Frontend{local(frontend(plan.ExternalIP, "192.0.2.1:"+number))}, at("192.0.2.1:8081", true))
		host.Local = host.Cluster
		add(host)
	}
	l.sync(t)
	client, p0, p1, b0, b1 := l.client, l.pods[0], l.pods[1], l.pods[2], l.pods[3]
	for _, to := range []string{"192.0.2.1:81", "192.0.2.1:8081"} {
		if got := ask(client, plan.TCP, to); got != "node 192.0.2.7" {
			t.Errorf("from client to %s: %q, want the node's own server, with the client's address", to, got)
		}
	}
	rows := []row{
		{client, "10.96.0.1:80", "pod0 10.1.0.1"},
		{client, "10.96.0.1:81", "refused"},
		{client, "10.96.0.2:80", "refused"},
		{p1, "10.96.0.2:80", "refused"},
		{nil, "10.96.0.2:80", "refused"},
		{nil, "10.96.0.1:80", "pod0 10.1.0.1"},
		{nil, "10.96.0.1:81", "refused"},
		{p1, "10.96.0.1:80", "pod0 10.1.1.2"},
		{p0, "10.96.0.1:80", "pod0 10.1.0.1"},
		{client, "[fd00:96::1]:80", "pod0 fd00:1::1"},
		{p1, "[fd00:96::1]:80", "pod0 fd00:1:1::2"},
		{b0, "[fd00:96::1]:80", "pod0 fd00:2::2"},
		{nil, "[fd00:96::1]:80", "pod0 fd00:1::1"},
		{client, "192.0.2.1:30080", "pod0 10.1.0.1"},
		{client, "10.1.0.1:30080", "pod0 10.1.0.1"},
		{client, "[2001:db8:c::1]:30080", "pod0 fd00:1::1"},
		{nil, "192.0.2.1:30080", "pod0 10.1.0.1"},
		{client, "192.0.2.1:30081", "pod0 192.0.2.7"},
		{client, "198.51.100.1:80", "pod0 192.0.2.7"},
		{p1, "198.51.100.1:80", "pod0 10.1.1.2"},
		{nil, "198.51.100.1:80", "pod0 10.1.0.1"},
		{client, "192.0.2.1:30082", "dropped"},
		{p1, "192.0.2.1:30082", "pod0 10.1.0.1"},
		{nil, "192.0.2.1:30082", "pod0 10.1.0.1"},
		{nil, "127.0.0.1:30080", "refused"},
		{client, "198.51.100.3:80", "dropped"},
		{p1, "198.51.100.3:80", "pod0 10.1.0.1"},
		{nil, "198.51.100.3:80", "pod0 10.1.0.1"},
		{b0, "10.96.0.1:80", "pod0 10.2.0.2"},
		{b0, "10.96.0.1:81", "refused"},
		{b1, "10.96.0.3:80", "bridged0 10.2.0.1"}, // on one link: the answer goes past the node
		{b0, "10.96.0.3:80", "bridged0 10.2.0.1"},
		{p1, "10.96.0.3:80", "bridged0 10.1.1.2"},
		{client, "10.96.0.4:80", "pod1 10.1.1.1"},
		{client, "10.96.0.4:80", "pod1 10.1.1.1"},
	}
	check(t, rows)

	// With br_netfilter, as above, packets pass the rules while the bridge has
	// them; without, when the node's IP has them.
	t.Run("without br_netfilter", func(t *testing.T) {
		for _, name := range []string{"iptables", "ip6tables"} {
			path := "/proc/sys/net/bridge/bridge-nf-call-" + name
			if err := os.WriteFile(path, []byte("0"), 0); err != nil {
				unavailable(t, "reason: br_netfilter isn't there to be switched off: load it: "+err.Error())
			}
			t.Cleanup(func() {
				if err := os.WriteFile(path, []byte("1"), 0); err != nil {
					t.Error(err)
				}
			})
		}
		check(t, slices.DeleteFunc(rows, func(r row) bool { return r.from != b0 && r.from != b1 }))
	})
}

// A row is a question and the answer that is right.
type row struct {
	from *place
	to   string
	want string
}

func check(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		for _, proto := range []plan.Protocol{plan.TCP, plan.UDP} {
			from := "node"
			if r.from != nil {
				from = r.from.name
			}
			if got := ask(r.from, proto, r.to); got != r.want {
				t.Errorf("%s from %s to %s: %q, want %q", proto, from, r.to, got, r.want)
			}
		}
	}
}
