package l4

import (
	discoveryv1 "k8s.io/api/discovery/v1"
)

// onlyPort leaves one port in a slice.
func onlyPort(name string) func(*discoveryv1.EndpointSlice) {
	return func(s *discoveryv1.EndpointSlice) {
		for _, p := range s.Ports {
			if *p.Name == name {
				s.Ports = []discoveryv1.EndpointPort{p}
				return
			}
		}
	}
}

// toPort sets the port of a slice's endpoints.
func toPort(port int32) func(*discoveryv1.EndpointSlice) {
	return func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = &port }
}

// endpointRows are about which endpoints answer.
func endpointRows() []row {
	return []row{
		one("a ready one beside one that isn't", `client,p2,edge tcp vips:80,nodes:80 = n2a`,
			service("web", "80", nodePorts), endpoints("web", p1.unready(), n2a)),
		one("no conditions said", `client,p2,edge tcp vips:80 = p1 n2a`,
			service("web", "80"), slice("web", "", func(s *discoveryv1.EndpointSlice) {
				for i := range s.Endpoints {
					s.Endpoints[i].Conditions = discoveryv1.EndpointConditions{}
				}
			}, p1, n2a)),
		one("a ready one beside a terminating one", `client,p2,edge tcp vips:80,nodes:80 = n2a`,
			service("web", "80", nodePorts), endpoints("web", p1.terminating(), n2a)),
		one("all terminating", `client,p2,edge tcp vips:80,nodes:80 = p1 n2a`,
			service("web", "80", nodePorts), endpoints("web", p1.terminating(), n2a.terminating())),
		one("terminating, one still serves", `client,p2,edge tcp vips:80,nodes:80 = n2a`,
			service("web", "80", nodePorts), endpoints("web", p1.conditions(false, false, true), n2a.terminating())),
		one("terminating, none serves", `client,p2,edge tcp vips:80,nodes:80 = refused`,
			service("web", "80", nodePorts), endpoints("web", p1.conditions(false, false, true))),
		one("several slices", `client,p2,edge tcp vips:80,nodes:80 = p1 n2a n2b`,
			service("web", "80", nodePorts), slice("web", "-a", nil, p1), slice("web", "-b", nil, n2a, n2b)),
		one("duplicates", `client,p2,edge tcp vips:80 = p1 n2a`,
			service("web", "80"), slice("web", "-a", nil, p1, p1, n2a), slice("web", "-b", nil, p1)),
		one("duplicates of which one is ready", `client,p2,edge tcp vips:80 = p1 n2a`,
			service("web", "80"), slice("web", "-a", nil, p1.terminating(), n2a), slice("web", "-b", nil, p1)),
		one("other ports in each slice", `client,p2,edge tcp vips:80,nodes:80 = p1 n2a:9090`,
			service("web", "80", nodePorts), slice("web", "-a", nil, p1), slice("web", "-b", toPort(9090), n2a)),
		one("one pod at two ports", `client,p2,edge tcp vips:80,nodes:80 = p1 p1:9090`,
			service("web", "80", nodePorts), slice("web", "-a", nil, p1), slice("web", "-b", toPort(9090), p1)),
		one("a slice without a port", `client,p2,edge tcp vips:80 = n2a`,
			service("web", "80"), slice("web", "-a", func(s *discoveryv1.EndpointSlice) { s.Ports = nil }, p1), slice("web", "-b", nil, n2a)),
		one("a slice whose port has no number", `client,p2,edge tcp vips:80 = n2a`,
			service("web", "80"), slice("web", "-a", func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = nil }, p1), slice("web", "-b", nil, n2a)),
		one("a slice of names", `client,p2,edge tcp vips:80 = n2a`,
			service("web", "80"), slice("web", "-b", nil, n2a), slice("web", "-names", func(s *discoveryv1.EndpointSlice) {
				s.AddressType = discoveryv1.AddressTypeFQDN
				s.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{"example.org"}}}
			}, p1)),
		one("a slice of another Service", `client,p2,edge tcp vips:80 = n2a`,
			service("web", "80"), endpoints("web", n2a), slice("web", "-other", func(s *discoveryv1.EndpointSlice) {
				s.Labels[discoveryv1.LabelServiceName] = "nobody"
			}, p1)),
	}
}

// topologyRows are about hints. The edge is node n1 in zone a.
func topologyRows() []row {
	all := `client,p2,edge tcp vips:80,nodes:80 = p1 n2a`
	p1Alone := `client,p2,edge tcp vips:80,nodes:80 = p1`
	return []row{
		one("zone hints", p1Alone, service("web", "80", nodePorts), endpoints("web", p1.zone("a"), n2a.zone("b"))),
		one("zone hints, a remote pod's", `client,p2,edge tcp vips:80,nodes:80 = n2a`,
			service("web", "80", nodePorts), endpoints("web", p1.zone("b"), n2a.zone("b", "a"))),
		one("zone hints, one without", all, service("web", "80", nodePorts), endpoints("web", p1.zone("a"), n2a)),
		one("zone hints, none for here", all, service("web", "80", nodePorts), endpoints("web", p1.zone("b"), n2a.zone("c"))),
		one("zone hints, external policy Local", `
			client tcp nodes:80 = p1 p2 sees own
			client,p2 tcp vips:80 = n2a`,
			service("web", "80", nodePorts, external), endpoints("web", p1.zone("b"), p2.zone("b"), n2a.zone("a"))),
		one("zone hints, the one for here terminates", all+" n2b",
			service("web", "80", nodePorts), endpoints("web", p1.terminating().zone("a"), n2a.terminating().zone("b"), n2b.terminating().zone("b"))),
		one("node hints", p1Alone, service("web", "80", nodePorts), endpoints("web", p1.forNode("n1"), n2a.forNode("n2"))),
		one("node hints, none for here", all, service("web", "80", nodePorts), endpoints("web", p1.forNode("n3"), n2a.forNode("n2"))),
		one("node hints before zone hints", p1Alone,
			service("web", "80", nodePorts), endpoints("web", p1.zone("b").forNode("n1"), n2a.zone("a").forNode("n2"))),
		one("node hints, one without", `client,p2,edge tcp vips:80,nodes:80 = n2a`, // so zones count
			service("web", "80", nodePorts), endpoints("web", p1.zone("b").forNode("n1"), n2a.zone("a"))),
	}
}
