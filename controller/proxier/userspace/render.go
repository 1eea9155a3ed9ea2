package userspace

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/google/nftables"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Render writes what a plan is in this mode, as text that nft -f would take: the
// tables, and as comments the ip rules and routes, and for each port the
// endpoints in the order of their turns. It asks no kernel. The error is w's.
func Render(w io.Writer, p *plan.Plan) error {
	out := &printer{Writer: bufio.NewWriter(w)}
	for _, f := range families {
		out.family(f, p)
	}
	for _, id := range sortedIDs(p) {
		out.port(p.Ports[id])
	}
	return out.Flush()
}

type printer struct{ *bufio.Writer }

// line writes one; an error stays in the Writer until Flush gives it.
func (o *printer) line(depth int, format string, args ...any) {
	fmt.Fprintf(o, strings.Repeat("\t", depth)+format+"\n", args...)
}

func (o *printer) family(f plan.Family, p *plan.Plan) {
	name, flag := "ip", "-4"
	if f == plan.IPv6 {
		name, flag = "ip6", "-6"
	}
	o.line(0, "# ip %s rule add fwmark 0x%x/0x%x lookup %d priority %d", flag, DefaultMark, DefaultMark, routingTable, rulePriority)
	o.line(0, "# ip %s route add local default dev lo table %d", flag, routingTable)
	o.line(0, "table %s %s {", name, tableName)
	o.sets(f, p)
	rules := chains(f, &p.Settings, marksOf(DefaultMark))
	for i, c := range rules {
		if i > 0 {
			o.line(0, "")
		}
		o.line(1, "chain %s {", c.name)
		if c.is != "" {
			o.line(2, "type %s hook %s priority %s; policy accept;", c.is, c.hookName, c.prioName)
		}
		for _, r := range c.rules {
			o.line(2, "%s", r)
		}
		o.line(1, "}")
	}
	o.line(0, "}")
}

// sets writes sets and maps with their elements, in the order of names.
func (o *printer) sets(f plan.Family, p *plan.Plan) {
	elements := map[string][]string{}
	for _, e := range wanted(f, p) {
		elements[e.set] = append(elements[e.set], e.String())
	}
	all := sets(tableOf(f, tableName))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		o.set(all[name], slices.Compact(slices.Sorted(slices.Values(elements[name]))))
	}
}

func (o *printer) set(s *nftables.Set, elements []string) {
	kind, names := "set", []string{s.KeyType.Name}
	if s.Concatenation {
		names = names[:0]
		for _, t := range nftables.ConcatSetTypeElements(s.KeyType) {
			names = append(names, t.Name)
		}
	}
	text := strings.Join(names, " . ")
	if s.IsMap {
		kind, text = "map", text+" : verdict"
	}
	o.line(1, "%s %s {", kind, s.Name)
	o.line(2, "type %s", text)
	if s.Interval {
		o.line(2, "flags interval")
	}
	if len(elements) > 0 {
		o.line(2, "elements = {")
		for _, e := range elements {
			o.line(3, "%s,", e)
		}
		o.line(2, "}")
	}
	o.line(1, "}")
	o.line(0, "")
}

// wanted are the elements of a family's table.
func wanted(f plan.Family, p *plan.Plan) []element {
	var all []element
	for id, port := range p.Ports {
		if id.Family == f {
			all = append(all, elements(&p.Settings, port)...)
		}
	}
	return all
}

// String is the element as nft writes it.
func (e element) String() string {
	var parts []string
	if e.address.IsValid() {
		parts = append(parts, e.address.String())
	}
	if e.protocol != 0 {
		parts = append(parts, e.protocol.String(), fmt.Sprint(e.port))
	}
	if e.source.IsValid() {
		parts = append(parts, e.source.Masked().String())
	}
	text := strings.Join(parts, " . ")
	switch e.verdict {
	case "":
		return text
	case verdictDrop:
		return text + " : drop"
	}
	return text + " : goto " + e.verdict
}

var balances = map[plan.Balance]string{
	plan.ModeDefault: "round robin", plan.RoundRobin: "round robin", plan.Random: "random",
	plan.SourceHash: "by a hash of the source", plan.Maglev: "by rendezvous of the source",
}

func (o *printer) port(p *plan.Port) {
	o.line(0, "")
	how := balances[p.Balance]
	if p.Affinity > 0 {
		how += fmt.Sprintf(", a client stays for %s", p.Affinity)
	}
	if p.Protocol == plan.SCTP {
		how = "not served: " + errSCTP.Error()
	}
	o.line(0, "# %s: %s", p.ID, how)
	for _, pool := range []struct {
		name string
		of   []plan.Endpoint
	}{{"cluster", p.Cluster}, {"local", p.Local}} {
		for _, e := range pool.of {
			also := ""
			if e.Weight != 1 {
				also += fmt.Sprintf(", weight %d", e.Weight)
			}
			if e.Local {
				also += ", on this node"
			}
			o.line(0, "#   %s: %s%s", pool.name, e.Address, also)
		}
	}
}
