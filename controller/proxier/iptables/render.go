package iptables

import (
	"fmt"
	"io"
	"math"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Render writes what a kernel without rules of ours would be given for a plan:
// what iptables-restore --noflush reads, and then, from a line on that says so,
// what ip6tables-restore --noflush reads. The errors are those of w.
func Render(w io.Writer, p *plan.Plan) error {
	if _, err := fmt.Fprintln(w, "# iptables-restore --noflush"); err != nil {
		return err
	}
	if _, err := w.Write(rendered(p, plan.IPv4)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w, "# ip6tables-restore --noflush"); err != nil {
		return err
	}
	_, err := w.Write(rendered(p, plan.IPv6))
	return err
}

func rendered(p *plan.Plan, f plan.Family) []byte {
	rules := newRuleset(programmer{settings: &p.Settings, family: f, hash: f == plan.IPv4})
	for id, port := range p.Ports {
		if id.Family == f {
			rules.ports[id] = port
		}
	}
	return rules.whole(nil, math.MaxInt).bytes()
}
