package userspace

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A kernel takes tables' contents. It is where tests make it refuse.
type kernel interface {
	// replace makes tables hold what they are to hold and nothing else, all in one
	// step.
	replace(all []table) error
	// change takes elements away and then adds others, of both families, in one
	// step.
	change(gone, come []element) error
}

// A table is all that one holds.
type table struct {
	family plan.Family
	rules  []chain
	is     []element
}

// netfilter is the kernel, by netlink.
type netfilter struct{}

// perMessage is how many elements go into one netlink message, whose attributes
// hold 64 KiB at most: an element takes less than 140 bytes.
const perMessage = 400

// sendBuffer is what a batch must fit into, for it is sent in one piece: half a
// million elements.
const sendBuffer = 64 << 20

// connect makes a connection for one batch. A failed one is of no use for
// another: the library keeps its error.
func connect() (*nftables.Conn, error) {
	return nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		return errors.Join(c.SetWriteBuffer(sendBuffer), c.SetReadBuffer(sendBuffer/16))
	}))
}

func tableOf(f plan.Family, name string) *nftables.Table {
	if f == plan.IPv4 {
		return &nftables.Table{Name: name, Family: nftables.TableFamilyIPv4}
	}
	return &nftables.Table{Name: name, Family: nftables.TableFamilyIPv6}
}

// sets are the sets and maps of a family's table, by name.
func sets(t *nftables.Table) map[string]*nftables.Set {
	a := nftables.TypeIPAddr
	if t.Family == nftables.TableFamilyIPv6 {
		a = nftables.TypeIP6Addr
	}
	port := []nftables.SetDatatype{nftables.TypeInetProto, nftables.TypeInetService}
	service := append([]nftables.SetDatatype{a}, port...)
	all := map[string]*nftables.Set{
		setClusterIPs: {KeyType: a},
		mapServices:   {KeyType: nftables.MustConcatSetType(service...), IsMap: true, DataType: nftables.TypeVerdict},
		mapNodePorts:  {KeyType: nftables.MustConcatSetType(port...), IsMap: true, DataType: nftables.TypeVerdict},
		setRestricted: {KeyType: nftables.MustConcatSetType(service...)},
		setSources:    {KeyType: nftables.MustConcatSetType(append(service, a)...), Interval: true},
	}
	for name, s := range all {
		s.Table, s.Name = t, name
		s.Concatenation = name != setClusterIPs
	}
	return all
}

func (netfilter) replace(all []table) error {
	c, err := connect()
	if err != nil {
		return err
	}
	for _, t := range all {
		if err := build(c, tableOf(t.family, tableName), t.rules, t.is); err != nil {
			return err
		}
	}
	return c.Flush()
}

// build queues a table that replaces the one of its name. What is added first is
// there to be deleted, for deleting what isn't there would be an error.
func build(c *nftables.Conn, t *nftables.Table, rules []chain, come []element) error {
	c.AddTable(t)
	c.DelTable(t)
	c.AddTable(t)
	all := sets(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := c.AddSet(all[name], nil); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	chains := make([]*nftables.Chain, len(rules))
	for i, r := range rules {
		chains[i] = &nftables.Chain{Table: t, Name: r.name, Type: r.is, Hooknum: r.hook}
		if r.hook != nil {
			chains[i].Priority = nftables.ChainPriorityRef(r.priority)
		}
		c.AddChain(chains[i])
	}
	for i, r := range rules {
		for _, one := range r.rules {
			c.AddRule(&nftables.Rule{Table: t, Chain: chains[i], Exprs: one.exprs()})
		}
	}
	return each(all, come, c.SetAddElements)
}

func (netfilter) change(gone, come []element) error {
	c, err := connect()
	if err != nil {
		return err
	}
	for _, f := range families {
		all := sets(tableOf(f, tableName))
		if err := each(all, of(f, gone), c.SetDeleteElements); err != nil {
			return err
		}
		if err := each(all, of(f, come), c.SetAddElements); err != nil {
			return err
		}
	}
	return c.Flush()
}

// of gives the elements of a family.
func of(f plan.Family, all []element) []element {
	var some []element
	for _, e := range all {
		if e.family == f {
			some = append(some, e)
		}
	}
	return some
}

// each queues elements for their sets, in messages that are not too long.
func each(all map[string]*nftables.Set, some []element, queue func(*nftables.Set, []nftables.SetElement) error) error {
	by := map[string][]nftables.SetElement{}
	for _, e := range some {
		by[e.set] = append(by[e.set], kernelElement(e))
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		for part := range slices.Chunk(by[name], perMessage) {
			if err := queue(all[name], part); err != nil {
				return fmt.Errorf("elements of %s: %w", name, err)
			}
		}
	}
	return nil
}

func kernelElement(e element) nftables.SetElement {
	k, end := e.bytes()
	is := nftables.SetElement{Key: k, KeyEnd: end}
	switch e.verdict {
	case "":
	case verdictDrop:
		is.VerdictData = &expr.Verdict{Kind: expr.VerdictDrop}
	default:
		is.VerdictData = &expr.Verdict{Kind: expr.VerdictGoto, Chain: e.verdict}
	}
	return is
}

// intact says whether a family's table has its maps, and all rules in its
// chains. What is in the maps isn't looked at: that would cost what there is.
func intact(f plan.Family, rules []chain) (bool, error) {
	c, err := connect()
	if err != nil {
		return false, err
	}
	t := tableOf(f, tableName)
	for _, r := range rules {
		have, err := c.GetRules(t, &nftables.Chain{Name: r.name})
		switch {
		case errors.Is(err, unix.ENOENT):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("rules of %s: %w", r.name, err)
		case len(have) != len(r.rules):
			return false, nil
		}
	}
	return true, nil
}

// remove deletes a family's table, if it is there.
func remove(f plan.Family) error {
	c, err := connect()
	if err != nil {
		return err
	}
	t := tableOf(f, tableName)
	all, err := c.ListTablesOfFamily(t.Family)
	if errors.Is(err, unix.EINVAL) {
		return nil // a kernel whose nf_tables does not know the family
	}
	if err != nil {
		return fmt.Errorf("tables: %w", err)
	}
	if !slices.ContainsFunc(all, func(o *nftables.Table) bool { return o.Name == t.Name }) {
		return nil
	}
	c.DelTable(t)
	return c.Flush()
}
