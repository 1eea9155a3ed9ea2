package l4

import (
	corev1 "k8s.io/api/core/v1"
)

// everybody is where packets come from.
const everybody = "client,n2,n2pod,p1,p2,edge"

// frontendRows are about where a Service is reached, and by whom.
func frontendRows() []row {
	both := "80 80/udp"
	return []row{
		one("cluster IP", `
			client,n2,n2pod,edge tcp,udp vips:80 = p1 n2a sees node
			p2 tcp,udp vips:80 = p1 n2a sees own
			p1 tcp,udp vips:80 = p1 n2a
			client tcp,udp nodes:80 = refused    # what would be its node port, if it had one
			edge tcp,udp lo:80,lo6:80 = refused`,
			service("web", both), endpoints("web", p1, n2a)),
		one("node port", everybody+` tcp,udp nodes:80 = p1 n2a sees node
			client,n2,n2pod,edge tcp,udp vips:80 = p1 n2a sees node
			client tcp,udp lbs:80,xips:80 = passes`,
			service("web", both, nodePorts), endpoints("web", p1, n2a)),
		one("node port at localhost", `
			edge tcp,udp lo:80,lo6:80 = p1 n2a sees node`,
			service("web", both, nodePorts), endpoints("web", p1, n2a)),
		one("load balancer IP", everybody+` tcp,udp lbs:80 = p1 n2a sees node
			client tcp,udp nodes:80,vips:80 = p1 n2a sees node`,
			service("web", both, balancer), endpoints("web", p1, n2a)),
		one("external IP", everybody+` tcp,udp xips:80 = p1 n2a sees node`,
			service("web", both, externalIPs), endpoints("web", p1, n2a)),
		one("all frontends, remote endpoints", everybody+` tcp,udp all:80 = n2a n2b
			edge tcp,udp lo:80,lo6:80 = n2a n2b`,
			service("web", both, everywhere), endpoints("web", n2a, n2b)),
		one("all frontends, local endpoints", everybody+` tcp,udp all:80 = p1 p2`,
			service("web", both, everywhere), endpoints("web", p1, p2)),
		one("balancer that sends to node ports", `
			client,p1,edge tcp lbs:80 = passes
			client,p2,edge tcp nodes:80,vips:80 = p1`,
			service("web", "80", balancer, ipModeProxy), endpoints("web", p1)),
		one("balancer without node ports", `
			client,p2,edge tcp lbs:80 = p1 n2a
			client,edge tcp nodes:80 = refused
			edge tcp lo:80 = refused`,
			service("web", "80", balancer, withoutNodePorts), endpoints("web", p1, n2a)),
		one("several ports", `
			client,p2,edge tcp vips:80,lbs:80,nodes:80 = p1
			client,p2,edge tcp vips:443,lbs:443,nodes:443 = p1:9090
			client,p2,edge udp vips:5000,lbs:5000,nodes:5000 = p1:9090
			client,p2,edge udp vips:80,vips:443 = refused
			client,p2,edge tcp vips:5000 = refused`,
			service("web", "80 443:9090 5000:9090/udp", balancer), endpoints("web", p1)),
		one("one number, TCP and UDP", `
			client,p2,edge tcp vips:53,xips:53 = p1
			client,p2,edge udp vips:53,xips:53 = p1:9090`,
			service("web", "53 53:9090/udp", externalIPs), endpoints("web", p1)),
		one("one number, two Services", `
			client,p2 tcp web.all:80 = p1
			client,p2 tcp api.all:80 = n2a`,
			service("web", "80", everywhere), service("api", "80", everywhere), endpoints("web", p1), endpoints("api", n2a)),
		one("IPv4 alone", `
			client,p2,edge tcp vip:80,lb:80,xip:80,node:80 = p1
			client,p2,edge tcp vip6:80,lb6:80,xip6:80 = passes
			client,p2,edge tcp node6:80 = refused
			edge tcp lo:80 = p1
			edge tcp lo6:80 = refused`,
			service("web", "80", everywhere, only(corev1.IPv4Protocol)), endpoints("web", p1)),
		one("IPv6 alone", `
			client,p2,edge tcp vip6:80,lb6:80,xip6:80,node6:80 = p1
			client,p2,edge tcp vip:80,lb:80,xip:80 = passes
			client,p2,edge tcp node:80 = refused
			edge tcp lo6:80 = p1
			edge tcp lo:80 = refused`,
			service("web", "80", everywhere, only(corev1.IPv6Protocol)), endpoints("web", p1)),
		one("headless", everybody+` tcp,udp vips:80 = passes`,
			service("web", both, headless), endpoints("web", p1)),
		one("headless by label", everybody+` tcp vips:80,xips:80 = passes`,
			service("web", "80", externalIPs, labelled("service.kubernetes.io/headless", "")), endpoints("web", p1)),
		one("external name", everybody+` tcp vips:80 = passes`, service("web", "80", externalName)),
		one("another proxy's", everybody+` tcp vips:80,xips:80 = passes`,
			service("web", "80", externalIPs, labelled(proxyNameLabel, "edge")), endpoints("web", p1)),
		one("hairpin", `p1 tcp,udp all:80 = p1 sees node
			p2 tcp,udp vips:80 = p1 sees own`,
			service("web", both, everywhere), endpoints("web", p1)),
		one("hairpin by Local policies", `p1 tcp,udp all:80 = p1 sees node`,
			service("web", both, everywhere, external, internal), endpoints("web", p1)),
	}
}

func withoutNodePorts(_ *numbers, s *corev1.Service) {
	no := false
	s.Spec.AllocateLoadBalancerNodePorts = &no
	for i := range s.Spec.Ports {
		s.Spec.Ports[i].NodePort = 0
	}
}

// emptyRows are about Services that nobody serves.
func emptyRows() []row {
	both := "80 80/udp"
	refused := everybody + ` tcp,udp all:80 = refused
		edge tcp,udp lo:80,lo6:80 = refused`
	return []row{
		one("no slice", refused, service("web", both, everywhere)),
		one("an empty slice", refused, service("web", both, everywhere), endpoints("web")),
		one("no ready endpoint", refused, service("web", both, everywhere), endpoints("web", p1.unready(), n2a.unready())),
		one("no endpoint, Local policies", refused, service("web", both, everywhere, external, internal), endpoints("web")),
		one("no endpoint, affinity", refused, service("web", both, everywhere, affinity(60)), endpoints("web")),
		one("unused port", everybody+` tcp,udp vips:81 = refused
			client,p2,edge udp vips:80 = refused
			client,p2,edge tcp vips:80 = p1`,
			service("web", "80", everywhere), endpoints("web", p1)),
		one("unused port, no endpoint", everybody+` tcp,udp vips:81 = refused`, service("web", "80")),
		one("a port of two without endpoints", `
			client,p2,edge tcp vips:80 = p1
			client,p2,edge tcp vips:443,nodes:443 = refused`,
			service("web", "80 443", nodePorts), slice("web", "", onlyPort("tcp-80"), p1)),
	}
}
