package iptables

import (
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// fixedNat are the nat table's chains that do not go by ports.
func (pr programmer) fixedNat() []chain {
	bit := hexMark(pr.settings.MasqueradeMark)
	outside := nobodys()
	for _, match := range localPods(pr.settings.Detect, pr.family) {
		outside = append(outside, rule{body: match + "-j RETURN"})
	}
	return []chain{
		{servicesChain, pr.byDestination()},
		{nodePortsChain, byProtocol()},
		{outsideChain, append(outside, rule{body: pr.mark()})},
		// The bit goes off again: what is wrapped in another packet comes by here
		// once more, with the mark still on it.
		{postroutingChain, nobodys(
			"-m mark ! --mark "+bit+"/"+bit+" -j RETURN",
			"-j MARK --set-xmark 0x0/"+bit,
			"-j MASQUERADE --random-fully",
		)},
	}
}

// fixedFilter are the filter table's.
func (pr programmer) fixedFilter() []chain {
	unreachable := "icmp-port-unreachable"
	if pr.family == plan.IPv6 {
		unreachable = "icmp6-port-unreachable"
	}
	return []chain{
		{filterChain, pr.byDestination()},
		{nodePortsChain, byProtocol()},
		{rejectChain, nobodys(
			"-p tcp -j REJECT --reject-with tcp-reset",
			"-p udp -j REJECT --reject-with "+unreachable,
			"-p sctp -j REJECT --reject-with "+unreachable,
		)},
	}
}

// byDestination looks for an address first, for a node port only then. It is a
// jump, so that whoever is not found comes back.
func (pr programmer) byDestination() []rule {
	loopback := "127.0.0.0/8"
	if pr.family == plan.IPv6 {
		loopback = "::1/128"
	}
	rules := nobodys("-j "+addressTree, "-d "+loopback+" -j RETURN")
	at := pr.settings.NodePorts
	if at.All {
		return append(rules, rule{body: "-m addrtype --dst-type LOCAL -j " + nodePortsChain})
	}
	for _, p := range at.Of(pr.family) {
		rules = append(rules, rule{body: "-d " + p.Masked().String() + " -m addrtype --dst-type LOCAL -j " + nodePortsChain})
	}
	return rules
}

func byProtocol() []rule {
	var rules []rule
	for _, p := range protocols() {
		rules = append(rules, rule{body: "-p " + p.String() + " -g " + nodePortRoot(p)})
	}
	return rules
}

// A hook is a jump from a chain that belongs to the kernel, as a rule that
// iptables-save prints the same.
type hook struct{ table, chain, body string }

func (h hook) String() string { return h.chain + " " + h.body }

func hooks() []hook {
	fresh := "-m conntrack --ctstate NEW -j " + filterChain
	return []hook{
		{"nat", "PREROUTING", "-j " + servicesChain},
		{"nat", "OUTPUT", "-j " + servicesChain},
		{"nat", "POSTROUTING", "-j " + postroutingChain},
		{"filter", "INPUT", fresh},
		{"filter", "FORWARD", fresh},
		{"filter", "OUTPUT", fresh},
	}
}
