package userspace

import (
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// tableName is the table's, in both families.
const tableName = "sallyport-userspace"

// DefaultMark is the bit of the packet mark, and of conntrack's mark, that means
// "to the proxy". The bit below it means "of the proxy". kube-proxy's own is the
// bit above.
const DefaultMark = 0x2000

// A chain is a chain of the table. Without a type it is only jumped to.
type chain struct {
	name     string
	is       nftables.ChainType // "" for none
	hook     *nftables.ChainHook
	hookName string
	priority nftables.ChainPriority
	prioName string
	rules    []rule
}

// The addresses at which the proxy listens. Nothing can be sent to them from
// outside: they are reserved for never being anybody's (RFC 7600, RFC 6666), no
// route leads there, and only what a rule has taken is delivered as local. So
// their ports can't be in use, but by a proxy that is about to end.
var (
	listen4 = netip.AddrFrom4([4]byte{192, 0, 0, 8})
	listen6 = netip.AddrFrom16([16]byte{0x01, 15: 8})
)

// firstPort is the port of plan.Elsewhere; those of the other origins follow.
const firstPort = 24570

// listenAt is where the proxy gets what comes from an origin. That the kernel
// tells origins apart, and says so by the port, lets it do so by the interface.
func listenAt(f plan.Family, o plan.Origin) netip.AddrPort {
	a := listen4
	if f == plan.IPv6 {
		a = listen6
	}
	return netip.AddrPortFrom(a, firstPort+uint16(o))
}

var origins = [...]plan.Origin{plan.Elsewhere, plan.LocalPod, plan.ThisNode}

// marks are the two bits, of packets and of connections alike.
type marks struct {
	take uint32 // a packet: to the proxy; a connection: the proxy has it
	mine uint32 // a packet: from the proxy to an endpoint; a connection: of the proxy under a borrowed address
}

func marksOf(mark uint32) marks { return marks{take: mark, mine: mark >> 1} }

// chains are the rules of a family's table. They depend on Settings alone.
func chains(f plan.Family, s *plan.Settings, m marks) []chain {
	all := []chain{
		{name: verdictCapture, rules: []rule{
			{markPacket(m.take)},
			{protocol(plan.TCP), markConnection(m.take)},
		}},
		{name: verdictRefuse, rules: []rule{
			{protocol(plan.TCP), refuse(f, true)},
			{refuse(f, false)},
		}},
		{name: verdictInside, rules: inside(f, s)},
		{name: "services", rules: services(f, m)},
		{name: "node-port", rules: []rule{nodePort(f)}},
		{name: "node-address", rules: nodeAddress(f, s)},
		{name: "from-elsewhere", rules: handOver(f, plan.Elsewhere)},
		{name: "from-pod", rules: handOver(f, plan.LocalPod)},
		{name: "from-node", rules: handOver(f, plan.ThisNode)},
		{name: "hand-over", rules: byOrigin(f, s)},
	}
	return append(all, hooks(f, s, m)...)
}

// hooks are the chains that packets enter.
func hooks(f plan.Family, s *plan.Settings, m marks) []chain {
	// What an endpoint answers to a borrowed address is the proxy's. The answers
	// of other TCP connections are nobody's here, though their port may be a node
	// port's.
	answers := []rule{
		{answering(), connectionHas(m.mine), markPacket(m.take), accept()},
		{answering(), protocol(plan.TCP), accept()},
	}
	return []chain{
		{
			name: "prerouting", is: nftables.ChainTypeFilter,
			hook: nftables.ChainHookPrerouting, hookName: "prerouting",
			priority: *nftables.ChainPriorityMangle, prioName: "mangle",
			rules: append(answers[:len(answers):len(answers)],
				rule{packetHas(m.mine), accept()},
				rule{jump("services")},
				rule{packetHas(m.take), goTo("hand-over")},
				rule{own(false, true), jump("node-address")},
				rule{packetHas(m.take), goTo("hand-over")},
			),
		}, {
			name: "bridged", is: nftables.ChainTypeNAT,
			hook: nftables.ChainHookPrerouting, hookName: "prerouting",
			priority: *nftables.ChainPriorityNATDest, prioName: "dstnat",
			rules: translate(f, s, m),
		}, {
			// A chain of the type route looks for the route again where a mark has
			// changed.
			name: "output", is: nftables.ChainTypeRoute,
			hook: nftables.ChainHookOutput, hookName: "output",
			priority: *nftables.ChainPriorityMangle, prioName: "mangle",
			rules: append(answers[:len(answers):len(answers)],
				rule{packetHas(m.mine), own(true, false), markConnection(m.mine)},
				rule{packetHas(m.mine), accept()},
				rule{jump("services")},
			),
		},
	}
}

// services decides what goes to an address of a Service: the first rule lets
// connections go on whose port is gone.
func services(f plan.Family, m marks) []rule {
	key, load := reached(f, true, false)
	also, loadBoth := reached(f, true, true)
	name, cluster := address(f, false, word)
	all := []rule{
		{protocol(plan.TCP), connectionHas(m.take), goTo(verdictCapture)},
		{lookup(key, load, setRestricted, true), lookup(also, loadBoth, setSources, false), drop()},
		{decide(key, load, mapServices)},
	}
	for _, p := range []plan.Protocol{plan.TCP, plan.UDP, plan.SCTP} {
		all = append(all, rule{lookup(name, []expr.Any{cluster}, setClusterIPs, true), protocol(p), goTo(verdictRefuse)})
	}
	return all
}

// nodeAddress lets through to the node ports what is for an address at which
// they answer. Loopback is served by sockets that listen there.
func nodeAddress(f plan.Family, s *plan.Settings) []rule {
	loopback := netip.PrefixFrom(loopbackOf(f), 8)
	if f == plan.IPv6 {
		loopback = netip.PrefixFrom(loopbackOf(f), 128)
	}
	all := []rule{{within(false, loopback), leave()}}
	if s.NodePorts.All {
		return append(all, rule{goTo("node-port")})
	}
	for _, p := range s.NodePorts.Of(f) {
		all = append(all, rule{within(false, p), goTo("node-port")})
	}
	return all
}

func nodePort(f plan.Family) rule {
	key, load := reached(f, false, false)
	return rule{decide(key, load, mapNodePorts)}
}

// pods are the clauses by which traffic of pods on this node is known.
func pods(f plan.Family, d plan.Detect) []clause {
	var all []clause
	switch d.Mode {
	case plan.DetectCIDRs:
		for _, p := range d.Of(f) {
			all = append(all, within(true, p))
		}
	case plan.DetectBridge:
		all = append(all, fromInterface(d.Interface, false))
	case plan.DetectInterfacePrefix:
		all = append(all, fromInterface(d.Interface, true))
	}
	return all
}

// inside takes what this node and its pods send, and drops all else.
func inside(f plan.Family, s *plan.Settings) []rule {
	all := []rule{{own(true, true), goTo(verdictCapture)}}
	for _, pod := range pods(f, s.Detect) {
		all = append(all, rule{pod, goTo(verdictCapture)})
	}
	return append(all, rule{drop()})
}

// byOrigin sorts what is taken by its origin. What came in by a bridge goes on to
// the chain bridged.
func byOrigin(f plan.Family, s *plan.Settings) []rule {
	all := []rule{
		{bridged(), accept()},
		{own(true, true), goTo("from-node")},
	}
	for _, pod := range pods(f, s.Detect) {
		all = append(all, rule{pod, goTo("from-pod")})
	}
	return append(all, rule{goTo("from-elsewhere")})
}

// handOver gives packets to the proxy. Where it doesn't run they are refused.
func handOver(f plan.Family, o plan.Origin) []rule {
	at := listenAt(f, o)
	return []rule{
		{protocol(plan.TCP), handTo(at), accept()},
		{protocol(plan.UDP), handTo(at), accept()},
		{goTo(verdictRefuse)},
	}
}

// translate is the way into the proxy for what came in by a bridge. With
// br_netfilter such packets pass the hook while the bridge has them, and when
// they come to the node's own IP it is skipped and the socket that tproxy chose
// has been forgotten (ip_sabotage_in and skb_orphan in the kernel). A translated
// address stays.
func translate(f plan.Family, s *plan.Settings, m marks) []rule {
	to := func(o plan.Origin, who ...clause) []rule {
		var all []rule
		for _, p := range []plan.Protocol{plan.TCP, plan.UDP} {
			r := append(rule{packetHas(m.take), bridged()}, who...)
			all = append(all, append(r, protocol(p), translateTo(listenAt(f, o))))
		}
		return all
	}
	var all []rule
	for _, pod := range pods(f, s.Detect) {
		all = append(all, to(plan.LocalPod, pod)...)
	}
	return append(all, to(plan.Elsewhere)...)
}
