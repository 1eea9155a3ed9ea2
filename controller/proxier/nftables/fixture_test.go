package nftables

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// settings are those of a node as most are.
func settings() plan.Settings {
	return plan.Settings{
		MasqueradeMark: 0x4000,
		Detect: plan.Detect{Mode: plan.DetectCIDRs, CIDRs: []netip.Prefix{
			netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("fd00:10:244::/56")}},
		NodePorts: plan.NodePorts{All: true},
	}
}

// ports makes a plan.
func planOf(s plan.Settings, ports ...*plan.Port) *plan.Plan {
	p := &plan.Plan{Settings: s, Ports: map[plan.ID]*plan.Port{}}
	for _, port := range ports {
		p.Ports[port.ID] = port
	}
	return p
}

// A builder makes ports of one family: 4 or 6.
type builder plan.Family

// address is the nth of a network: in IPv4 and IPv6 alike.
func (b builder) address(network string, n int) netip.Addr {
	if plan.Family(b) == plan.IPv4 {
		base := map[string]string{"vip": "10.96", "pod": "10.244", "lb": "198.51", "far": "10.245"}[network]
		return netip.MustParseAddr(fmt.Sprintf("%s.%d.%d", base, n/256, n%256))
	}
	base := map[string]string{"vip": "fd00:10:96", "pod": "fd00:10:244", "lb": "2001:db8:51", "far": "fd00:10:245"}[network]
	return netip.MustParseAddr(fmt.Sprintf("%s::%x", base, n))
}

func (b builder) port(name string, frontends ...plan.Frontend) *plan.Port {
	return &plan.Port{
		ID:        plan.ID{Service: plan.Service{Namespace: "shop", Name: name}, Protocol: plan.TCP, Family: plan.Family(b)},
		Frontends: frontends,
	}
}

func (b builder) clusterIP(n int, port uint16) plan.Frontend {
	return plan.Frontend{Kind: plan.ClusterIP, Address: b.address("vip", n), Port: port}
}

func (b builder) lb(n int, port uint16) plan.Frontend {
	return plan.Frontend{Kind: plan.LoadBalancerIP, Address: b.address("lb", n), Port: port}
}

func nodePortAt(port uint16) plan.Frontend { return plan.Frontend{Kind: plan.NodePort, Port: port} }

// pods gives endpoints with the numbers, on this node.
func (b builder) pods(numbers ...int) []plan.Endpoint {
	var all []plan.Endpoint
	for _, n := range numbers {
		all = append(all, plan.Endpoint{Address: netip.AddrPortFrom(b.address("pod", n), 8080), Weight: 1, Local: true})
	}
	return all
}

func (b builder) far(numbers ...int) []plan.Endpoint {
	var all []plan.Endpoint
	for _, n := range numbers {
		all = append(all, plan.Endpoint{Address: netip.AddrPortFrom(b.address("far", n), 8080), Weight: 1})
	}
	return all
}

// example are plans by name, each for both families.
func examples() map[string]*plan.Plan {
	both := func(s plan.Settings, make func(b builder) []*plan.Port) *plan.Plan {
		return planOf(s, append(make(builder(plan.IPv4)), make(builder(plan.IPv6))...)...)
	}
	masqueradeAll := settings()
	masqueradeAll.MasqueradeAll = true
	masqueradeAll.Detect = plan.Detect{}
	masqueradeAll.NodePorts = plan.NodePorts{Prefixes: []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.7/32"), netip.MustParsePrefix("2001:db8::/64")}}
	byInterface := settings()
	byInterface.Detect = plan.Detect{Mode: plan.DetectInterfacePrefix, Interface: "veth"}
	byBridge := settings()
	byBridge.Detect = plan.Detect{Mode: plan.DetectBridge, Interface: "cni0"}
	return map[string]*plan.Plan{
		"empty":          planOf(settings()),
		"frontends":      both(settings(), allFrontends),
		"local":          both(settings(), localPolicies),
		"none":           both(settings(), withoutEndpoints),
		"affinity":       both(settings(), withAffinity),
		"sources":        both(settings(), withSources),
		"balance":        both(settings(), balances),
		"masquerade-all": both(masqueradeAll, allFrontends),
		"interface":      both(byInterface, localPolicies),
		"bridge":         both(byBridge, allFrontends),
	}
}

func allFrontends(b builder) []*plan.Port {
	web := b.port("web", b.clusterIP(1, 80), nodePortAt(30080), b.lb(1, 80),
		plan.Frontend{Kind: plan.ExternalIP, Address: b.address("lb", 9), Port: 80})
	web.Cluster = append(b.pods(1, 2), b.far(1)...)
	dns := b.port("dns", b.clusterIP(2, 53))
	dns.Protocol, dns.Cluster = plan.UDP, b.pods(3)
	dnsTCP := b.port("dns", b.clusterIP(2, 53))
	dnsTCP.Cluster = b.pods(3)
	sctp := b.port("signal", b.clusterIP(3, 3868))
	sctp.Protocol, sctp.Cluster = plan.SCTP, b.pods(4)
	return []*plan.Port{web, dns, dnsTCP, sctp}
}

func localPolicies(b builder) []*plan.Port {
	local := func(f plan.Frontend) plan.Frontend { f.Local = true; return f }
	both := b.port("edge", b.clusterIP(1, 80), local(nodePortAt(30080)), local(b.lb(1, 80)))
	both.Cluster, both.Local = append(b.pods(1, 2), b.far(1)...), b.pods(1, 2)
	none := b.port("remote", b.clusterIP(2, 80), local(nodePortAt(30081)), local(b.lb(2, 80)))
	none.Cluster = b.far(1, 2)
	inside := b.port("inside", local(b.clusterIP(3, 80)))
	inside.Cluster, inside.Local = b.far(1), b.pods(5)
	return []*plan.Port{both, none, inside}
}

func withoutEndpoints(b builder) []*plan.Port {
	idle := b.port("idle", b.clusterIP(1, 80), nodePortAt(30080), b.lb(1, 80))
	internal := b.clusterIP(2, 80)
	internal.Local = true
	remote := b.port("remote", internal)
	remote.Cluster = b.far(1)
	return []*plan.Port{idle, remote}
}

func withAffinity(b builder) []*plan.Port {
	cart := b.port("cart", b.clusterIP(1, 80), nodePortAt(30080))
	cart.Affinity, cart.Cluster = 3*time.Hour, b.pods(1, 2)
	short := b.port("short", b.clusterIP(2, 80))
	short.Affinity, short.Cluster = 10*time.Second, b.pods(1, 2, 3)
	return []*plan.Port{cart, short}
}

func withSources(b builder) []*plan.Port {
	f, closed := b.lb(1, 80), b.lb(2, 80)
	f.Sources = []netip.Prefix{netip.PrefixFrom(b.address("pod", 0), b.address("pod", 0).BitLen()-8).Masked(),
		netip.PrefixFrom(b.address("far", 7), b.address("far", 7).BitLen())}
	closed.Sources = []netip.Prefix{}
	guarded := b.port("guarded", b.clusterIP(1, 80), f, closed)
	guarded.Cluster = b.pods(1)
	return []*plan.Port{guarded}
}

func balances(b builder) []*plan.Port {
	var all []*plan.Port
	for balance, name := range kinds {
		p := b.port(name, b.clusterIP(10+int(balance), 80))
		p.Balance, p.Cluster = balance, b.pods(1, 2, 3)
		p.Cluster[0].Weight = 2
		all = append(all, p)
	}
	second := b.port("second-round-robin", b.clusterIP(30, 80), nodePortAt(30080))
	second.Balance, second.Cluster = plan.RoundRobin, b.pods(1, 2, 3, 4)
	return append(all, second)
}
