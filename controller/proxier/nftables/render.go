package nftables

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Render writes both tables for a plan, as nft reads them: what a Sync makes of
// an empty kernel. The error is w's.
func Render(w io.Writer, p *plan.Plan, o Options) error {
	out := bufio.NewWriter(w)
	shards := newShards()
	for i, f := range families {
		if i > 0 {
			fmt.Fprintln(out)
		}
		h := newHalf(f, &p.Settings, nil)
		h.table = o.table()
		if err := h.render(out, p, &shards); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (h *half) render(w io.Writer, p *plan.Plan, s *shards) error {
	var steps []step
	for _, id := range slices.SortedFunc(maps.Keys(p.Ports), compareID) {
		if id.Family == h.plan {
			port := p.Ports[id]
			steps = append(steps, step{id: id, is: newState(port, &state{}, s.take(port))})
		}
	}
	c, err := h.work(steps)
	if err != nil {
		return err
	}
	slices.Sort(c.timeouts)
	fmt.Fprintf(w, "table %s %s {\n", h.ip, h.table)
	all := sets()
	for _, t := range c.timeouts {
		all = append(all, membersOf(t)...)
	}
	for _, s := range all {
		h.renderSet(w, s, c.add[s.name])
	}
	chains := h.fixed(h.settings)
	chains[len(chains)-1].rules = h.remember(c.timeouts)
	slices.SortFunc(c.chains, func(a, b chain) int { return strings.Compare(a.name, b.name) })
	chains = slices.Concat(chains, c.chains, h.hooks(h.settings), []chain{{name: h.marker(h.settings)}})
	for _, c := range chains {
		renderChain(w, c)
	}
	_, err = fmt.Fprintln(w, "}")
	return err
}

func (h *half) renderSet(w io.Writer, s set, all []wire.Element) {
	fmt.Fprintf(w, "\t%s", h.text(s))
	lines := make([]string, len(all))
	for i, e := range all {
		lines[i] = h.words(s.key, e.Key, e.End)
		switch {
		case s.data != nil:
			lines[i] += " : " + h.words(s.data, wire.Plain(e.Data), "")
		case s.verdict && wire.Chain(e.Data) == "":
			lines[i] += " : drop"
		case s.verdict:
			lines[i] += " : goto " + wire.Chain(e.Data)
		}
	}
	slices.Sort(lines)
	if len(lines) > 0 {
		fmt.Fprintf(w, " elements = {\n\t\t%s\n\t}", strings.Join(lines, ",\n\t\t"))
	}
	fmt.Fprintln(w, " }")
}

// hookNames are the kernel's hooks by their numbers.
var hookNames = []string{"prerouting", "input", "forward", "output", "postrouting"}

func renderChain(w io.Writer, c chain) {
	fmt.Fprintf(w, "\tchain %s {\n", c.name)
	if c.hook != nil {
		fmt.Fprintf(w, "\t\ttype %s hook %s priority %d; policy accept;\n", c.hook.Type, hookNames[c.hook.Number], c.hook.Priority)
	}
	for _, r := range c.rules {
		fmt.Fprintf(w, "\t\t%s\n", r.text())
	}
	fmt.Fprintln(w, "\t}")
}
