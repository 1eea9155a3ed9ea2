package iptables

import (
	"net/netip"
	"strings"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// settings are a usual node's: both families, pods told by their networks.
func settings() plan.Settings {
	return plan.Settings{
		MasqueradeMark: 0x4000,
		Detect: plan.Detect{Mode: plan.DetectCIDRs, CIDRs: []netip.Prefix{
			netip.MustParsePrefix("10.244.1.0/24"), netip.MustParsePrefix("fd00:244:1::/64"),
		}},
		NodePorts: plan.NodePorts{All: true},
	}
}

func planOf(s plan.Settings, ports ...*plan.Port) *plan.Plan {
	p := &plan.Plan{Settings: s, Ports: map[plan.ID]*plan.Port{}}
	for _, port := range ports {
		p.Ports[port.ID] = port
	}
	return p
}

// service is a port with one ClusterIP. An address with an "L" before it is an
// endpoint on this node.
func service(name, address string, port uint16, protocol plan.Protocol, endpoints ...string) *plan.Port {
	a := netip.MustParseAddr(address)
	p := &plan.Port{
		ID: plan.ID{
			Service: plan.Service{Namespace: "default", Name: name}, Port: "main",
			Protocol: protocol, Family: plan.FamilyOf(a),
		},
		Frontends: []plan.Frontend{{Kind: plan.ClusterIP, Address: a, Port: port}},
	}
	for _, e := range endpoints {
		at, local := strings.CutPrefix(e, "L")
		one := plan.Endpoint{Address: netip.MustParseAddrPort(at), Weight: 1, Local: local}
		p.Cluster = append(p.Cluster, one)
	}
	return p
}

// with adds frontends, and endpoints for the policy Local if one asks for them.
func with(p *plan.Port, frontends ...plan.Frontend) *plan.Port {
	p.Frontends = append(p.Frontends, frontends...)
	for _, f := range frontends {
		if f.Local {
			p.Local = localOf(p.Cluster)
		}
	}
	return p
}

func localOf(all []plan.Endpoint) []plan.Endpoint {
	var some []plan.Endpoint
	for _, e := range all {
		if e.Local {
			some = append(some, e)
		}
	}
	return some
}

func nodePort(port uint16) plan.Frontend { return plan.Frontend{Kind: plan.NodePort, Port: port} }

func loadBalancer(a string, port uint16, sources ...string) plan.Frontend {
	f := plan.Frontend{Kind: plan.LoadBalancerIP, Address: netip.MustParseAddr(a), Port: port}
	for _, s := range sources {
		f.Sources = append(f.Sources, netip.MustParsePrefix(s))
	}
	return f
}

func external(a string, port uint16) plan.Frontend {
	return plan.Frontend{Kind: plan.ExternalIP, Address: netip.MustParseAddr(a), Port: port}
}

func local(f plan.Frontend) plan.Frontend {
	f.Local = true
	return f
}

func localCluster(p *plan.Port) *plan.Port {
	p.Frontends[0].Local = true
	p.Local = localOf(p.Cluster)
	return p
}

func balanced(p *plan.Port, b plan.Balance, weights ...uint16) *plan.Port {
	p.Balance = b
	for i, w := range weights {
		p.Cluster[i].Weight = w
	}
	return p
}

func sticky(p *plan.Port, t time.Duration) *plan.Port {
	p.Affinity = t
	return p
}

// plans are what goldens are written of.
func plans() map[string]*plan.Plan {
	all := settings()
	bridge := settings()
	bridge.Detect = plan.Detect{Mode: plan.DetectBridge, Interface: "cni0"}
	bridge.NodePorts = plan.NodePorts{Prefixes: []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128"),
	}}
	undetected := settings()
	undetected.Detect = plan.Detect{}
	undetected.MasqueradeMark = 1
	everything := settings()
	everything.MasqueradeAll = true
	everything.Detect = plan.Detect{Mode: plan.DetectInterfacePrefix, Interface: "veth"}
	two := []string{"L10.244.1.10:8080", "10.244.2.10:8080"}
	twoOf6 := []string{"L[fd00:244:1::10]:8080", "[fd00:244:2::10]:8080"}
	return map[string]*plan.Plan{
		"nothing": planOf(all),
		"cluster-ip": planOf(all,
			service("web", "10.96.0.10", 80, plan.TCP, two...),
			service("dns", "10.96.0.11", 53, plan.UDP, two[0]),
			service("dns", "10.96.0.11", 53, plan.TCP, two[0]),
			service("sig", "10.97.0.1", 5000, plan.SCTP, two[1]),
			service("web", "fd00:96::10", 80, plan.TCP, twoOf6...),
			service("dns", "fd00:96::11", 53, plan.UDP, twoOf6[0]),
		),
		"every-frontend": planOf(bridge,
			with(service("web", "10.96.0.10", 80, plan.TCP, two...),
				nodePort(30080), loadBalancer("203.0.113.1", 80), external("198.51.100.1", 80)),
			with(service("web", "fd00:96::10", 80, plan.TCP, twoOf6...),
				nodePort(30080), loadBalancer("2001:db8:1::1", 80), external("2001:db8:2::1", 80)),
		),
		"undetected": planOf(undetected,
			with(service("web", "10.96.0.10", 80, plan.TCP, two...), local(nodePort(30080))),
		),
		"masquerade-all": planOf(everything,
			with(service("web", "10.96.0.10", 80, plan.TCP, two...), local(nodePort(30080))),
		),
		"local": planOf(all,
			localCluster(service("agent", "10.96.0.20", 80, plan.TCP, two...)),
			localCluster(service("far", "10.96.0.21", 80, plan.TCP, two[1])),
			with(service("here", "10.96.0.22", 80, plan.TCP, two...), local(nodePort(30081)), local(loadBalancer("203.0.113.2", 80))),
			with(service("away", "10.96.0.23", 80, plan.UDP, two[1]), local(nodePort(30082)), local(loadBalancer("203.0.113.3", 80))),
			with(service("away", "fd00:96::23", 80, plan.TCP, twoOf6[1]), local(nodePort(30082))),
		),
		"no-endpoints": planOf(all,
			with(service("empty", "10.96.0.30", 80, plan.TCP), nodePort(30083), loadBalancer("203.0.113.4", 80), external("198.51.100.4", 80)),
			with(service("empty", "fd00:96::30", 80, plan.UDP), nodePort(30083)),
			with(service("empty-for-some", "10.96.0.31", 80, plan.TCP), loadBalancer("203.0.113.5", 80, "192.0.2.0/24")),
		),
		"sources": planOf(all,
			with(service("some", "10.96.0.40", 80, plan.TCP, two...), loadBalancer("203.0.113.6", 80, "192.0.2.0/24", "198.51.100.7/32")),
			with(service("some", "fd00:96::40", 80, plan.TCP, twoOf6...), loadBalancer("2001:db8::6", 80, "2001:db8:5::/48")),
			with(service("none", "10.96.0.41", 80, plan.TCP, two...), plan.Frontend{
				Kind: plan.LoadBalancerIP, Address: netip.MustParseAddr("203.0.113.7"), Port: 80, Sources: []netip.Prefix{},
			}),
		),
		"affinity": planOf(all,
			sticky(service("web", "10.96.0.50", 80, plan.TCP, two...), 3*time.Hour),
			sticky(service("web", "fd00:96::50", 80, plan.TCP, twoOf6...), 1500*time.Millisecond),
		),
		"balances": planOf(all,
			balanced(service("weighted", "10.96.0.60", 80, plan.TCP, two...), plan.ModeDefault, 3, 1),
			balanced(service("turns", "10.96.0.61", 80, plan.TCP, two...), plan.RoundRobin),
			balanced(service("weighted-turns", "10.96.0.62", 80, plan.TCP, two...), plan.RoundRobin, 1, 100),
			balanced(service("hash", "10.96.0.63", 80, plan.TCP, append(two, "10.244.3.10:8080")...), plan.SourceHash),
			balanced(service("maglev", "fd00:96::64", 80, plan.TCP, twoOf6...), plan.Maglev),
		),
		"many-ports": planOf(all,
			service("a", "10.96.0.70", 80, plan.TCP, two...), service("b", "10.96.0.70", 443, plan.TCP, two...),
			service("c", "10.96.0.70", 8443, plan.UDP, two...), service("d", "10.96.0.71", 443, plan.TCP),
		),
	}
}
