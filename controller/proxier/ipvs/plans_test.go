package ipvs

import (
	"net/netip"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// both makes the TCP and the UDP port of a Service, in a family.
func both(name string, f plan.Family, change func(*plan.Port)) []*plan.Port {
	var all []*plan.Port
	for _, protocol := range []plan.Protocol{plan.TCP, plan.UDP} {
		p := &plan.Port{ID: plan.ID{Service: plan.Service{Namespace: "default", Name: name}, Protocol: protocol, Family: f}}
		change(p)
		all = append(all, p)
	}
	return all
}

func at(kind plan.Kind, address string, port uint16) plan.Frontend {
	f := plan.Frontend{Kind: kind, Port: port}
	if kind != plan.NodePort {
		f.Address = netip.MustParseAddr(address)
	}
	return f
}

func local(f plan.Frontend) plan.Frontend {
	f.Local = true
	return f
}

func sources(f plan.Frontend, from ...string) plan.Frontend {
	f.Sources = []netip.Prefix{}
	for _, s := range from {
		f.Sources = append(f.Sources, netip.MustParsePrefix(s))
	}
	return f
}

// to makes endpoints of the weight 1; those in pods' networks are local.
func to(addresses ...string) []plan.Endpoint {
	var all []plan.Endpoint
	for _, a := range addresses {
		at := netip.MustParseAddrPort(a)
		here := slices.ContainsFunc([]string{"10.244.1.0/24", "fd00:244:1::/64"}, func(p string) bool {
			return netip.MustParsePrefix(p).Contains(at.Addr())
		})
		all = append(all, plan.Endpoint{Address: at, Weight: 1, Local: here})
	}
	return all
}

// settings are a node's, which knows its pods by their addresses.
func settings() plan.Settings {
	return plan.Settings{
		MasqueradeMark: 0x4000,
		Detect: plan.Detect{Mode: plan.DetectCIDRs, CIDRs: []netip.Prefix{
			netip.MustParsePrefix("10.244.1.0/24"), netip.MustParsePrefix("fd00:244:1::/64"),
		}},
		NodePorts:     plan.NodePorts{All: true},
		NodeAddresses: []netip.Addr{netip.MustParseAddr(nodeIP), netip.MustParseAddr(nodeIP6)},
	}
}

func planOf(ports ...[]*plan.Port) *plan.Plan {
	p := &plan.Plan{Settings: settings(), Ports: map[plan.ID]*plan.Port{}}
	for _, p1 := range slices.Concat(ports...) {
		p.Ports[p1.ID] = p1
	}
	return p
}

// web has each kind of frontend, and one endpoint here or there.
func web(f plan.Family, endpoints ...string) []*plan.Port {
	return both("web", f, func(p *plan.Port) {
		if f == plan.IPv4 {
			p.Frontends = []plan.Frontend{
				at(plan.ClusterIP, "10.96.0.10", 80), at(plan.NodePort, "", 30080),
				at(plan.LoadBalancerIP, "198.51.100.10", 80), at(plan.ExternalIP, "198.51.100.20", 80),
			}
		} else {
			p.Frontends = []plan.Frontend{
				at(plan.ClusterIP, "fd00:96::10", 80), at(plan.NodePort, "", 30080),
				at(plan.LoadBalancerIP, "2001:db8:b::10", 80), at(plan.ExternalIP, "2001:db8:b::20", 80),
			}
		}
		p.Cluster = to(endpoints...)
	})
}

// externally makes the external traffic policy Local.
func externally(ports []*plan.Port) []*plan.Port {
	for _, p := range ports {
		for i := range p.Frontends {
			p.Frontends[i].Local = p.Frontends[i].Kind != plan.ClusterIP
		}
		for _, e := range p.Cluster {
			if e.Local {
				p.Local = append(p.Local, e)
			}
		}
	}
	return ports
}
