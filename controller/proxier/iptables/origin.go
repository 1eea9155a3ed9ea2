package iptables

import (
	"fmt"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// treatments are what a frontend does, by plan.Origin.
type treatments [3]plan.Treatment

func (d *draft) treatments(f plan.Frontend) treatments {
	var t treatments
	for _, o := range []plan.Origin{plan.Elsewhere, plan.LocalPod, plan.ThisNode} {
		t[o] = d.settings.Treat(d.port, f, o)
	}
	return t
}

// unserved is the verdict for whoever is not served; Serve where all are. It is
// the same for all of them: a port that has no endpoint refuses, one that has
// none for some drops.
func (t treatments) unserved() plan.Verdict {
	for _, one := range t {
		if one.Verdict != plan.Serve {
			return one.Verdict
		}
	}
	return plan.Serve
}

// unserves says that nobody is served.
func (t treatments) unserves() bool {
	for _, one := range t {
		if one.Verdict == plan.Serve {
			return false
		}
	}
	return true
}

func same(a, b plan.Treatment) bool {
	return a.Verdict == b.Verdict && a.Local == b.Local && a.Masquerade == b.Masquerade
}

// alike says that all are served from the same pool, and that whose source is
// hidden can be told by one rule: everybody's, nobody's, or that of all but
// local pods.
func (t treatments) alike() bool {
	for _, one := range t {
		if one.Verdict != plan.Serve || one.Local != t[0].Local {
			return false
		}
	}
	return t[plan.Elsewhere].Masquerade == t[plan.ThisNode].Masquerade &&
		(t[plan.Elsewhere].Masquerade || !t[plan.LocalPod].Masquerade)
}

// markAlike is the end of the rule that marks whom treatments that are alike
// hide, or "".
func (d *draft) markAlike(t treatments) string {
	switch {
	case !t[plan.Elsewhere].Masquerade:
		return ""
	case t[plan.LocalPod].Masquerade:
		return d.mark()
	}
	return "-j " + outsideChain
}

// mark is the end of a rule that marks for masquerading.
func (pr programmer) mark() string {
	bit := hexMark(pr.settings.MasqueradeMark)
	return "-j MARK --set-xmark " + bit + "/" + bit
}

// origins is the chain that gives each origin what it is due. A local pod is
// asked for first, as in kube-proxy: an address of the node may be in the pods'
// network.
func (d *draft) origins(f plan.Frontend, t treatments) string {
	name := byOrigin + digest(d.port.ID.String(), fmt.Sprint(f.Kind == plan.ClusterIP, f.Local))
	return d.add(name, func() []string {
		var rules []string
		elsewhere, pod, node := t[plan.Elsewhere], t[plan.LocalPod], t[plan.ThisNode]
		if !same(pod, elsewhere) || !same(pod, node) {
			for _, match := range localPods(d.settings.Detect, d.family) {
				rules = append(rules, d.branch(match, pod)...)
			}
		}
		if !same(node, elsewhere) {
			rules = append(rules, d.branch("-m addrtype --src-type LOCAL ", node)...)
		}
		return append(rules, d.branch("", elsewhere)...)
	})
}

// branch gives one origin its treatment.
func (d *draft) branch(match string, t plan.Treatment) []string {
	if t.Verdict != plan.Serve {
		return []string{match + "-j ACCEPT"}
	}
	to := match + "-g " + d.pool(t)
	if t.Masquerade {
		return []string{match + d.mark(), to}
	}
	return []string{to}
}

// localPods are matches of what local pods send, each with a space at its end.
// There are none where nothing is known as a local pod's. A packet that this
// node sends has no interface that it came in by, and matches none.
func localPods(d plan.Detect, f plan.Family) []string {
	switch {
	case !d.Works(f):
		return nil
	case d.Mode == plan.DetectBridge:
		return []string{"-i " + d.Interface + " "}
	case d.Mode == plan.DetectInterfacePrefix:
		return []string{"-i " + d.Interface + "+ "}
	}
	var matches []string
	for _, p := range d.Of(f) {
		matches = append(matches, "-s "+p.Masked().String()+" ")
	}
	return matches
}
