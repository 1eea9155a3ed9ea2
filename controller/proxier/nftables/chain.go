package nftables

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A chain is a chain and what is in it.
type chain struct {
	name  string
	hook  *wire.Hook // nil for one that others go to
	rules []rule
}

// The chains that are always there.
const (
	refuse    = "refuse"
	firewall  = "firewall"
	admitted  = "admitted"
	nodePortC = "nodeports"
	dispatch  = "dispatch"
	rememberC = "remember"
)

// fixed are the chains that are there whatever the ports, but for the hooks.
func (f family) fixed(s *plan.Settings) []chain {
	return []chain{
		{name: refuse, rules: []rule{
			{over("tcp", unix.IPPROTO_TCP), reset()},
			{over("udp", unix.IPPROTO_UDP), f.unreachable()},
			{over("sctp", unix.IPPROTO_SCTP), f.unreachable()},
		}},
		{name: admitted, rules: []rule{
			{verdictBy(f.frontendKey(), firewalled)},
			{verdictBy(f.frontendKey(), firewalled)},
		}},
		{name: firewall, rules: []rule{
			{in(concat(f.frontendKey(), f.saddr()), allowed), gotoChain(admitted)},
			{dropIt()},
		}},
		{name: nodePortC, rules: []rule{
			{verdictBy(nodePortKey(), nodePorts)},
			{verdictBy(nodePortKey(), nodePorts)},
		}},
		{name: dispatch, rules: f.dispatch(s)},
		{name: rememberC},
	}
}

func (f family) frontendKey() load { return concat(f.daddr(), l4proto(), dport()) }

func nodePortKey() load { return concat(l4proto(), dport()) }

// dispatch finds out which port of a Service a packet is for.
//
// Kernels before 6.17 may miss an element that is replaced while they look for
// it, since they read the generation before the set: a second look reads it
// again. It costs those packets alone that are for no Service.
func (f family) dispatch(s *plan.Settings) []rule {
	rules := []rule{{verdictBy(f.frontendKey(), services)}}
	for _, r := range f.nodePortAddresses(s) {
		rules = append(rules, append(r, jumpChain(nodePortC)))
	}
	return append(rules,
		rule{verdictBy(f.frontendKey(), services)},
		rule{in(f.daddr(), clusterIPs), gotoChain(refuse)})
}

// nodePortAddresses match destinations at which node ports answer. Loopback is
// never one: a packet from there can go nowhere else.
func (f family) nodePortAddresses(s *plan.Settings) []rule {
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	if f.plan == plan.IPv6 {
		loopback = netip.MustParsePrefix("::1/128")
	}
	here := rule{toHere(), outside(f.daddr(), loopback)}
	if s.NodePorts.All {
		return []rule{here}
	}
	var rules []rule
	for _, p := range s.NodePorts.Of(f.plan) {
		if p.Bits() == 0 {
			return []rule{here}
		}
		rules = append(rules, append(rule{within(f.daddr(), p)}, here...))
	}
	return rules
}

// hooks are the chains that the kernel calls. While they aren't there nothing
// of ours is.
//
// All are of type nat, which the kernel calls for a connection's first packet
// only.
func (f family) hooks(s *plan.Settings) []chain {
	const (
		dstnat = -100
		srcnat = 100
	)
	at := func(number uint32, priority int32) *wire.Hook {
		return &wire.Hook{Type: "nat", Number: number, Priority: priority}
	}
	return []chain{
		{name: "prerouting", hook: at(unix.NF_INET_PRE_ROUTING, dstnat), rules: []rule{{jumpChain(dispatch)}}},
		{name: "output", hook: at(unix.NF_INET_LOCAL_OUT, dstnat), rules: []rule{{jumpChain(dispatch)}}},
		{name: "postrouting", hook: at(unix.NF_INET_POST_ROUTING, srcnat), rules: []rule{
			{jumpChain(rememberC)},
			{marked(s.MasqueradeMark), clearMark(s.MasqueradeMark), masquerade()},
			{translated(), in(concat(f.saddr(), f.daddr()), hairpin), masquerade()},
		}},
	}
}

// remember writes down, after an endpoint was chosen, which client has which.
// The set that is asked first holds the endpoints that a port with affinity
// has: one that is gone meanwhile isn't remembered.
//
// nft wants a conntrack port's protocol said before it: hence a rule for each.
func (f family) remember(timeouts []time.Duration) []rule {
	var rules []rule
	node := concat(l4proto(), frontendPort())
	full := concat(f.frontendAddress(), node)
	chosen := concat(f.endpointAddress(), endpointPort())
	for _, t := range timeouts {
		for _, p := range []plan.Protocol{plan.TCP, plan.UDP, plan.SCTP} {
			is := rule{over(p.String(), byte(p)), translated()}
			rules = append(rules,
				append(slices.Clone(is), in(concat(full, chosen), members+seconds(t)),
					remember(affinity, concat(f.clientAddress(), full), chosen, t)),
				append(slices.Clone(is), in(concat(node, chosen), nodePortMembers+seconds(t)),
					remember(nodePortAffinity, concat(f.clientAddress(), node), chosen, t)))
		}
	}
	return rules
}

// fromPod are the matches of a local pod's traffic. The node's own address may
// be within a pod CIDR, as a bridge's is: notNode leaves it out.
func (f family) fromPod(d plan.Detect, notNode bool) []rule {
	switch d.Mode {
	case plan.DetectBridge:
		return []rule{{byInterface(d.Interface, false)}}
	case plan.DetectInterfacePrefix:
		return []rule{{byInterface(d.Interface, true)}}
	}
	var rules []rule
	for _, p := range d.Of(f.plan) {
		r := rule{}
		if p.Bits() > 0 {
			r = append(r, within(f.saddr(), p))
		}
		if notNode {
			r = append(r, notFromHere())
		}
		rules = append(rules, r)
	}
	return rules
}

// marker is the name of an empty chain that says of which schema and Settings
// the chains are. It is made last, so that what has none is not whole.
func (f family) marker(s *plan.Settings) string {
	h := sha256.New()
	for _, c := range append(f.fixed(s), f.hooks(s)...) {
		fmt.Fprintln(h, c.name)
		for _, r := range c.rules {
			fmt.Fprintln(h, r.text())
		}
	}
	fmt.Fprintf(h, "%+v", s.Detect)
	return fmt.Sprintf("%s-%s", markerPrefix(), hex.EncodeToString(h.Sum(nil)[:6]))
}

func markerPrefix() string { return fmt.Sprintf("schema-%d", schema) }
