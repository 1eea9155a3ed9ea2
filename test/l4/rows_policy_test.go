package l4

// policyRows are about traffic policies and who may come.
func policyRows() []row {
	both := "80 80/udp"
	outside := "lbs:80,xips:80,nodes:80"
	return []row{
		one("external policy Local", `
			client,n2,n2pod tcp,udp `+outside+` = p1 sees own
			!ipvs p2 tcp,udp `+outside+` = p1 n2a sees own
			!ipvs edge tcp,udp `+outside+`,lo:80,lo6:80 = p1 n2a sees node
			@ipvs p2,edge tcp,udp `+outside+` = p1   # a virtual server has one set of endpoints for all
			client,n2,p2,edge tcp,udp vips:80 = p1 n2a`,
			service("web", both, everywhere, external), endpoints("web", p1, n2a)),
		one("external policy Local, nobody local", `
			client,n2,n2pod tcp,udp `+outside+` = dropped
			p1,p2 tcp,udp `+outside+` = n2a
			edge tcp,udp `+outside+`,lo:80,lo6:80 = n2a sees node
			client,p2,edge tcp,udp vips:80 = n2a`,
			service("web", both, everywhere, external), endpoints("web", n2a)),
		one("external policy Local, two local", `
			client,n2 tcp,udp `+outside+` = p1 p2 sees own`,
			service("web", both, everywhere, external), endpoints("web", p1, p2, n2a)),
		one("external policy Local, local one not ready", `
			client,n2 tcp,udp `+outside+` = dropped
			p2,edge tcp,udp `+outside+` = n2a`,
			service("web", both, everywhere, external), endpoints("web", p1.unready(), n2a)),
		one("external policy Local, local one terminating", `
			client,n2 tcp,udp `+outside+` = p1 sees own
			client,p2 tcp,udp vips:80 = n2a`,
			service("web", both, everywhere, external), endpoints("web", p1.terminating(), n2a)),
		one("internal policy Local", `
			client,n2,edge tcp,udp vips:80 = p1 sees node
			p2 tcp,udp vips:80 = p1 sees own
			client,p2,edge tcp,udp `+outside+` = p1 n2a sees node`,
			service("web", both, everywhere, internal), endpoints("web", p1, n2a)),
		one("internal policy Local, nobody local", everybody+` tcp,udp vips:80 = dropped
			client,p2,edge tcp,udp `+outside+` = n2a sees node`,
			service("web", both, everywhere, internal), endpoints("web", n2a)),
		one("both policies Local", `
			client,n2 tcp,udp `+outside+` = p1 sees own
			client tcp,udp vips:80 = p1 sees node
			p2 tcp,udp vips:80 = p1 sees own`,
			service("web", both, everywhere, internal, external), endpoints("web", p1, n2a)),
		one("both policies Local, nobody local", `
			client,n2 tcp,udp all:80 = dropped
			p2,edge tcp,udp vips:80 = dropped
			p2,edge tcp,udp `+outside+` = n2a`,
			service("web", both, everywhere, internal, external), endpoints("web", n2a)),
		one("source ranges", `
			client tcp,udp lbs:80 = p1 n2a sees node
			n2,n2pod,p1,edge tcp,udp lbs:80 = dropped
			n2,p2,edge tcp,udp nodes:80,xips:80,vips:80 = p1 n2a`,
			service("web", both, everywhere, sources("203.0.113.0/24", "2001:db8:e::/64")), endpoints("web", p1, n2a)),
		one("source ranges of one family", `
			client tcp lb:80 = p1
			client,n2,p2,edge tcp lb6:80 = dropped
			client,p2 tcp nodes:80 = p1`,
			service("web", "80", balancer, sources("203.0.113.7/32")), endpoints("web", p1)),
		one("source ranges that have the node", `
			n2,edge tcp,udp lbs:80 = p1 n2a
			client,n2pod,p2 tcp,udp lbs:80 = dropped`,
			service("web", both, balancer, sources("192.0.2.0/24", "2001:db8:a::/64")), endpoints("web", p1, n2a)),
		one("source ranges that have the pods", `
			p2 tcp,udp lbs:80 = p1 n2a sees node
			client,n2,n2pod,edge tcp,udp lbs:80 = dropped`,
			service("web", both, balancer, sources("10.244.1.0/24", "fd00:10:244:1::/64")), endpoints("web", p1, n2a)),
		one("source ranges within another", `
			client,n2 tcp lbs:80 = p1
			p2 tcp lbs:80 = dropped`,
			service("web", "80", balancer, sources("203.0.113.7/32", "203.0.113.0/24", "192.0.2.12/32", "2001:db8::/32", "2001:db8:e::/64")), endpoints("web", p1)),
		one("source ranges, all sources", everybody+` tcp lbs:80 = p1 n2a`,
			service("web", "80", balancer, sources("0.0.0.0/0", "::/0")), endpoints("web", p1, n2a)),
		one("source ranges by annotation", `
			client tcp lb:80 = p1
			n2,p2 tcp lb:80 = dropped`,
			service("web", "80", balancer, annotated("service.beta.kubernetes.io/load-balancer-source-ranges", "203.0.113.0/24, 10.9.0.0/16")), endpoints("web", p1)),
		one("source ranges, external policy Local", `
			client tcp,udp lbs:80 = p1 sees own
			n2,p2,edge tcp,udp lbs:80 = dropped
			n2 tcp,udp nodes:80 = p1 sees own`,
			service("web", both, balancer, external, sources("203.0.113.0/24", "2001:db8:e::/64")), endpoints("web", p1, n2a)),
		one("source ranges, external policy Local, nobody local", `
			client,n2,p2,edge tcp lbs:80 = dropped
			p2,edge tcp nodes:80 = n2a`,
			service("web", "80", balancer, external, sources("203.0.113.0/24", "2001:db8:e::/64")), endpoints("web", n2a)),
		one("source ranges, no endpoints", `
			client tcp,udp lbs:80 = refused
			n2,p2,edge tcp,udp lbs:80 = dropped`,
			service("web", both, balancer, sources("203.0.113.0/24", "2001:db8:e::/64"))),
	}
}
