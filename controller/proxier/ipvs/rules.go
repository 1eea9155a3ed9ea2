package ipvs

import (
	"fmt"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// chainPrefix begins the name of each chain of ours.
const chainPrefix = "SALLYPORT-IPVS-"

// The chains. Names are those of one table: two tables may have the same.
const (
	chainPre    = chainPrefix + "PRE"    // nat: what comes in is marked for masquerading
	chainOut    = chainPrefix + "OUT"    // nat: what the node sends likewise; mangle: it is dropped
	chainPost   = chainPrefix + "POST"   // nat: what is marked is masqueraded
	chainIn     = chainPrefix + "IN"     // mangle: what comes in is dropped; filter: it is rejected
	chainPod    = chainPrefix + "POD"    // what comes from a pod of this node
	chainGuard  = chainPrefix + "GUARD"  // mangle: by source
	chainReject = chainPrefix + "REJECT" // filter: by protocol
)

// A tableText is what one table of iptables holds of ours.
type tableText struct {
	name   string
	chains []string
	jumps  []jump
	rules  []string
}

// A jump is a rule in a chain of the kernel's own that leads to one of ours.
type jump struct{ from, to string }

func (j jump) rule() string { return j.from + " -j " + j.to }

// in is a match of a set, such as in(setVIPs, f, "dst").
func in(s set, f plan.Family, by string) string {
	return "-m set --match-set " + s.name(f) + " " + by
}

func notIn(s set, f plan.Family, by string) string {
	return "-m set ! --match-set " + s.name(f) + " " + by
}

// onlyNew leaves a chain with all but the first packet of a connection: what a
// rule says of new ones does not end one that is there, and the answers to what
// the node sends from an address of our device come to a port nobody serves.
const onlyNew = "-m conntrack ! --ctstate NEW -j RETURN"

// rulesOf are the rules of a family: as many for a hundred thousand ports as
// for one.
func rulesOf(f plan.Family, s *plan.Settings) []tableText {
	return []tableText{mangleRules(f, s), natRules(f, s), filterRules(f)}
}

// mangleRules drop. They are in mangle because it comes before ipvs both in
// input and in output, where ipvs itself comes before filter.
func mangleRules(f plan.Family, s *plan.Settings) tableText {
	t := tableText{
		name:   "mangle",
		chains: []string{chainIn, chainOut, chainPod, chainGuard},
		jumps:  []jump{{"INPUT", chainIn}, {"OUTPUT", chainOut}},
	}
	t.add(chainIn, onlyNew)
	t.add(chainIn, in(setGuard, f, "dst,dst")+" -j "+chainGuard)
	for _, match := range podMatches(f, s) {
		t.add(chainIn, match+" -g "+chainPod)
	}
	t.add(chainIn, in(setDropElse, f, "dst,dst")+" -j DROP")
	t.add(chainPod, in(setDropPod, f, "dst,dst")+" -j DROP")
	t.add(chainOut, onlyNew)
	t.add(chainOut, in(setGuard, f, "dst,dst")+" -j "+chainGuard)
	t.add(chainOut, in(setDropNode, f, "dst,dst")+" -j DROP")
	t.add(chainGuard, notIn(setAllow, f, "dst,dst,src")+" -j DROP")
	return t
}

// natRules masquerade. The first packet of a connection alone comes here. The
// node sends to an address of our device from that same address, which no
// endpoint could answer: that is always hidden.
func natRules(f plan.Family, s *plan.Settings) tableText {
	t := tableText{
		name:   "nat",
		chains: []string{chainPre, chainOut, chainPod, chainPost},
		jumps:  []jump{{"PREROUTING", chainPre}, {"OUTPUT", chainOut}, {"POSTROUTING", chainPost}},
	}
	mark := fmt.Sprintf("-j MARK --set-xmark %#x/%#x", s.MasqueradeMark, s.MasqueradeMark)
	t.add(chainPre, notIn(setServers, f, "dst,dst")+" -j RETURN")
	for _, match := range podMatches(f, s) {
		t.add(chainPre, match+" -g "+chainPod)
	}
	t.add(chainPre, in(setMasqElse, f, "dst,dst")+" "+mark)
	t.add(chainPod, in(setMasqPod, f, "dst,dst")+" "+mark)
	t.add(chainOut, in(setMasqNode, f, "dst,dst")+" "+mark)
	t.add(chainOut, in(setVIPs, f, "src")+" "+in(setServers, f, "dst,dst")+" "+mark)
	t.add(chainPost, in(setHairpin, f, "dst,dst,src")+" -j MASQUERADE --random-fully")
	t.add(chainPost, fmt.Sprintf("-m mark ! --mark %#x/%#x -j RETURN", s.MasqueradeMark, s.MasqueradeMark))
	t.add(chainPost, fmt.Sprintf("-j MARK --set-xmark 0x0/%#x", s.MasqueradeMark))
	t.add(chainPost, "-j MASQUERADE --random-fully")
	return t
}

// filterRules reject: what has no endpoint, and what comes to an address of our
// device at a port that nobody serves, so that no process of the node that
// listens at all addresses answers there.
func filterRules(f plan.Family) tableText {
	t := tableText{
		name:   "filter",
		chains: []string{chainIn, chainReject},
		jumps:  []jump{{"INPUT", chainIn}},
	}
	t.add(chainIn, onlyNew)
	t.add(chainIn, in(setReject, f, "dst,dst")+" -j "+chainReject)
	t.add(chainIn, notIn(setVIPs, f, "dst")+" -j RETURN")
	t.add(chainIn, in(setServers, f, "dst,dst")+" -j RETURN")
	for _, p := range []plan.Protocol{plan.TCP, plan.UDP, plan.SCTP} {
		t.add(chainIn, "-p "+p.String()+" -j "+chainReject)
	}
	unreachable := "icmp-port-unreachable"
	if f == plan.IPv6 {
		unreachable = "icmp6-port-unreachable"
	}
	t.add(chainReject, "-p tcp -j REJECT --reject-with tcp-reset")
	t.add(chainReject, "-j REJECT --reject-with "+unreachable)
	return t
}

func (t *tableText) add(chain, rule string) { t.rules = append(t.rules, "-A "+chain+" "+rule) }

// podMatches tell what comes from a pod of this node.
func podMatches(f plan.Family, s *plan.Settings) []string {
	switch s.Detect.Mode {
	case plan.DetectCIDRs:
		var all []string
		for _, p := range s.Detect.Of(f) {
			all = append(all, "-s "+p.String())
		}
		return all
	case plan.DetectBridge:
		return []string{"-i " + s.Detect.Interface}
	case plan.DetectInterfacePrefix:
		return []string{"-i " + s.Detect.Interface + "+"}
	case plan.DetectNothing:
	}
	return nil
}

// restoreText is the input of iptables-restore --noflush. Naming a chain
// empties it; the jumps are those that are not there yet, and go first, so that
// nobody accepts a packet before ours have seen it.
func restoreText(tables []tableText, missing func(table string, j jump) bool) string {
	var b strings.Builder
	for _, t := range tables {
		fmt.Fprintf(&b, "*%s\n", t.name)
		for _, c := range t.chains {
			fmt.Fprintf(&b, ":%s - [0:0]\n", c)
		}
		for _, j := range t.jumps {
			if missing(t.name, j) {
				fmt.Fprintf(&b, "-I %s\n", j.rule())
			}
		}
		for _, r := range t.rules {
			b.WriteString(r + "\n")
		}
		b.WriteString("COMMIT\n")
	}
	return b.String()
}

// checkText asks iptables-restore whether all rules are there: it fails at the
// first that isn't.
func checkText(tables []tableText) string {
	var b strings.Builder
	for _, t := range tables {
		fmt.Fprintf(&b, "*%s\n", t.name)
		for _, j := range t.jumps {
			fmt.Fprintf(&b, "-C %s\n", j.rule())
		}
		for _, r := range t.rules {
			b.WriteString("-C" + strings.TrimPrefix(r, "-A") + "\n")
		}
		b.WriteString("COMMIT\n")
	}
	return b.String()
}
