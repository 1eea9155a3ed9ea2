package l4

// flagGroups are about what flags change for all Services.
func flagGroups() []group {
	web := service("web", "80 80/udp", everywhere)
	node := func(served, refused string) string {
		text := "client,n2,p2 tcp,udp " + served + " = p1 n2a sees node"
		if refused != "" {
			text += "\nclient,n2,p2,edge tcp,udp " + refused + " = refused"
		}
		return text + "\nclient,p2,edge tcp,udp vips:80,lbs:80,xips:80 = p1 n2a"
	}
	ports := func(name, served, refused string, flags ...string) group {
		return group{name: name, flags: append(flags, clusterCIDR...), rows: []row{one(name, node(served, refused), web, endpoints("web", p1, n2a))}}
	}
	// p1 is the endpoint alone where clients of other nodes keep their address:
	// another node's answer would not come back by the edge.
	known := []row{one("pods are known", `
		p2 tcp,udp vips:80 = p1 n2a sees own
		client,n2,n2pod,edge tcp,udp vips:80 = p1 n2a sees node
		client,n2,p2,edge tcp,udp lbs:80,xips:80,nodes:80 = p1 n2a sees node`,
		web, endpoints("web", p1, n2a)),
		one("pods are known, external policy Local", `
			client,n2,n2pod tcp lbs:80,nodes:80 = p1 sees own
			!ipvs p2 tcp lbs:80,nodes:80 = p1 n2a sees own
			!ipvs edge tcp lbs:80,nodes:80 = p1 n2a sees node`,
			service("web", "80", balancer, external), endpoints("web", p1, n2a)),
		one("pods are known, nobody local", `
			client,n2,n2pod tcp lbs:80,nodes:80 = dropped
			p1,edge tcp lbs:80,nodes:80 = n2a`,
			service("web", "80", balancer, external), endpoints("web", n2a)),
	}
	return []group{
		{name: "nothing tells pods", flags: nil, rows: []row{
			one("cluster IP", `
				client,n2,n2pod,p2 tcp,udp vips:80 = p1 sees own
				p1 tcp,udp vips:80 = p1 sees node
				client,n2,n2pod,p2,edge tcp,udp lbs:80,xips:80,nodes:80 = p1 sees node`,
				web, endpoints("web", p1)),
			one("external policy Local", `
				client,n2,p2 tcp lbs:80,nodes:80 = p1 sees own
				!ipvs edge tcp lbs:80,nodes:80 = p1 n2a`,
				service("web", "80", balancer, external), endpoints("web", p1, n2a)),
			one("external policy Local, nobody local", `
				client,n2,p2 tcp lbs:80,nodes:80 = dropped
				edge tcp lbs:80,nodes:80 = n2a`,
				service("web", "80", balancer, external), endpoints("web", n2a)),
		}},
		{name: "NodeCIDR", flags: []string{"--detect-local-mode=NodeCIDR"}, rows: known},
		{name: "BridgeInterface", flags: []string{"--detect-local-mode=BridgeInterface", "--pod-bridge-interface=cni0"}, rows: known},
		{name: "InterfaceNamePrefix", flags: []string{"--detect-local-mode=InterfaceNamePrefix", "--pod-interface-name-prefix=cni"}, rows: known},
		{name: "masquerade all", flags: append([]string{"--masquerade-all"}, clusterCIDR...), rows: []row{
			one("all are hidden", everybody+` tcp,udp vips:80 = p1 n2a sees node`, web, endpoints("web", p1, n2a)),
			one("but external policy Local", `client,n2 tcp lbs:80,nodes:80 = p1 sees own`,
				service("web", "80", balancer, external), endpoints("web", p1, n2a)),
		}},
		ports("primary node ports", "primary:80,node6:80", "second:80", "--nodeport-addresses=primary"),
		ports("node ports of a CIDR", "second:80", "primary:80,node6:80", "--nodeport-addresses=198.51.100.0/24"),
		ports("node ports of all but localhost", "nodes:80", "", "--nodeport-addresses=192.0.2.0/24,198.51.100.0/24,2001:db8:a::/64"),
		{name: "no localhost", flags: append([]string{"--nodeport-addresses=192.0.2.0/24"}, clusterCIDR...), rows: []row{
			one("localhost", `edge tcp,udp lo:80,lo6:80 = refused
				edge tcp,udp primary:80 = p1 n2a`, web, endpoints("web", p1, n2a)),
		}},
		{name: "localhost alone", flags: append([]string{"--nodeport-addresses=127.0.0.0/8"}, clusterCIDR...), rows: []row{
			one("localhost", `edge tcp,udp lo:80 = p1 n2a
				edge tcp,udp lo6:80 = refused
				client,edge tcp,udp nodes:80 = refused`, web, endpoints("web", p1, n2a)),
		}},
		{name: "another proxy name", proxyName: "edge", flags: append([]string{"--service-proxy-name=edge"}, clusterCIDR...), rows: []row{
			one("ours", `client,p2,edge tcp,udp all:80 = p1 n2a`,
				service("web", "80 80/udp", everywhere, labelled(proxyNameLabel, "edge")), endpoints("web", p1, n2a)),
			one("another's", `client,p2 tcp vips:80,lbs:80 = passes`,
				service("web", "80", everywhere, labelled(proxyNameLabel, "far")), endpoints("web", p1)),
			one("nobody's", `client,p2 tcp vips:80,lbs:80 = passes`, service("web", "80", everywhere), endpoints("web", p1)),
		}},
	}
}
