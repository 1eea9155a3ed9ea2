package nftables

import (
	"errors"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A step is what becomes of one port: was and is may be nil.
type step struct {
	id      plan.ID
	was, is *state
}

// A change is what a row of steps does to the kernel's elements. It is worked
// out beforehand, and counts as done when the kernel has taken it.
type change struct {
	del, add map[string][]wire.Element // by set
	refs     map[item]int              // of shared elements
	found    []item                    // in the kernel already
	// dead are the members that are gone: frontends with an endpoint each.
	dead     map[string]bool
	chains   []chain // that are needed and not there
	known    map[entrance]bool
	timeouts []time.Duration
	lost     map[plan.ID]uint64
}

// held is an element that the kernel has.
type held struct {
	data  string
	owner plan.ID
}

// work finds what steps change. Counters of elements that are replaced are read
// here, just before.
func (h *half) work(steps []step) (*change, error) {
	c := &change{
		del: map[string][]wire.Element{}, add: map[string][]wire.Element{}, refs: make(map[item]int, 3*len(steps)),
		dead: map[string]bool{}, known: map[entrance]bool{}, lost: map[plan.ID]uint64{},
	}
	was := map[item]held{}
	alive := map[plan.ID]*state{}
	for _, s := range steps {
		if s.is != nil {
			alive[s.id] = s.is
		}
		if s.was == nil {
			continue
		}
		h.elements(s.was, func(i item, data string) {
			if shared(i.set) {
				c.refs[i]--
			} else {
				was[i] = held{data, s.id}
			}
		})
	}
	var err error
	for _, s := range steps {
		if s.is == nil {
			continue
		}
		h.needs(c, s.is)
		h.elements(s.is, func(i item, data string) {
			if shared(i.set) {
				c.refs[i]++
			} else if err == nil {
				err = h.put(c, was, i, held{data, s.id})
			}
		})
	}
	if err != nil {
		return nil, err
	}
	for i, old := range was {
		if err := h.take(c, i, old, alive[old.owner] != nil); err != nil {
			return nil, err
		}
	}
	h.share(c)
	return c, nil
}

// put adds an element unless it is there. One that is there otherwise is
// replaced, and keeps its count if it counted the same.
func (h *half) put(c *change, was map[item]held, i item, now held) error {
	old, known := was[i]
	delete(was, i)
	if e, there := h.kernel[i.set][i.key]; !known && there {
		old, known = held{e.Data, now.owner}, true
		c.found = append(c.found, i)
	}
	if isMember(i.set) {
		c.dead[i.key] = false
	}
	if known && old == now {
		return nil
	}
	e := i.element(now.data)
	if known {
		c.del[i.set] = append(c.del[i.set], i.element(""))
		if counts(i.set) {
			n, err := h.count(i)
			if err != nil {
				return err
			}
			switch {
			case old.data == toFirewall || old.owner != now.owner:
			case now.data == toFirewall:
				c.lost[now.owner] += n.Packets
			default:
				e.Packets, e.Bytes = n.Packets, n.Bytes
			}
		}
	}
	c.add[i.set] = append(c.add[i.set], e)
	return nil
}

// take deletes an element. What it counted stays with its port.
func (h *half) take(c *change, i item, old held, alive bool) error {
	c.del[i.set] = append(c.del[i.set], i.element(""))
	if _, again := c.dead[i.key]; isMember(i.set) && !again {
		c.dead[i.key] = true
	}
	if !alive || !counts(i.set) || old.data == toFirewall {
		return nil
	}
	n, err := h.count(i)
	c.lost[old.owner] += n.Packets
	return err
}

// share adds shared elements that nobody had, and deletes those that nobody has.
func (h *half) share(c *change) {
	for i, n := range c.refs {
		had := h.refs[i]
		switch {
		case n == 0:
			delete(c.refs, i)
		case had == 0:
			if _, there := h.kernel[i.set][i.key]; there {
				c.found = append(c.found, i)
			} else {
				c.add[i.set] = append(c.add[i.set], i.element(""))
			}
		case had+n == 0:
			c.del[i.set] = append(c.del[i.set], i.element(""))
		}
	}
}

// needs notes the chains and timeouts of a port that aren't there.
func (h *half) needs(c *change, st *state) {
	for _, f := range st.Frontends {
		e := h.entrance(st, f)
		if h.known[e] || c.known[e] {
			continue
		}
		c.known[e] = true
		for _, ch := range h.family.chains(e, h.settings) {
			there := func(o chain) bool { return o.name == ch.name }
			if _, ok := h.chains[ch.name]; !ok && !slices.ContainsFunc(c.chains, there) {
				c.chains = append(c.chains, ch)
			}
		}
	}
	if t := st.Affinity; t > 0 && !slices.Contains(h.timeouts, t) && !slices.Contains(c.timeouts, t) {
		c.timeouts = append(c.timeouts, t)
	}
}

// write appends a change to a batch. What is deleted goes first: a key that is
// replaced has to be free.
func (h *half) write(b *wire.Batch, c *change) {
	if len(c.timeouts) > 0 {
		h.declare(b, c.timeouts)
		h.rewrite(b, chain{name: rememberC, rules: h.remember(h.withTimeouts(c))})
	}
	h.create(b, c.chains)
	for _, set := range slices.Sorted(maps.Keys(c.del)) {
		b.DelElements(h.wire, h.table, set, c.del[set])
	}
	for _, set := range slices.Sorted(maps.Keys(c.add)) {
		b.AddElements(h.wire, h.table, set, c.add[set])
	}
}

// create adds chains, and then their rules, since rules name chains.
func (h *half) create(b *wire.Batch, chains []chain) {
	for _, c := range chains {
		b.AddChain(h.wire, h.table, c.name, c.hook)
	}
	for _, c := range chains {
		for _, r := range c.rules {
			b.AddRule(h.wire, h.table, c.name, r.bytes())
		}
	}
}

// rewrite makes the rules of a chain anew.
func (h *half) rewrite(b *wire.Batch, c chain) {
	b.DelRules(h.wire, h.table, c.name)
	for _, r := range c.rules {
		b.AddRule(h.wire, h.table, c.name, r.bytes())
	}
}

// withTimeouts are the timeouts there are after a change.
func (h *half) withTimeouts(c *change) []time.Duration {
	all := slices.Concat(h.timeouts, c.timeouts)
	slices.Sort(all)
	return all
}

func (h *half) declare(b *wire.Batch, timeouts []time.Duration) {
	for _, t := range timeouts {
		for _, s := range membersOf(t) {
			b.AddSet(h.wire, h.table, h.family.declare(s))
		}
	}
}

// done takes a change for what the kernel has.
func (h *half) done(steps []step, c *change) {
	if len(h.refs) == 0 {
		h.refs = make(map[item]int, len(c.refs))
	}
	for i, n := range c.refs {
		if h.refs[i] += n; h.refs[i] == 0 {
			delete(h.refs, i)
		}
	}
	for _, i := range c.found {
		delete(h.kernel[i.set], i.key)
	}
	maps.Copy(h.known, c.known)
	for _, ch := range c.chains {
		h.chains[ch.name] = len(ch.rules)
	}
	if len(c.chains)+len(c.timeouts) > 0 {
		h.rules = nil
	}
	if len(c.timeouts) > 0 {
		h.timeouts = h.withTimeouts(c)
		h.chains[rememberC] = len(h.remember(h.timeouts))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range steps {
		if s.is == nil {
			delete(h.ports, s.id)
			continue
		}
		s.is.lost += c.lost[s.id]
		h.ports[s.id] = s.is
	}
}

// counts says that a set's elements count.
func counts(set string) bool { return set == services || set == nodePorts || set == firewalled }

// count reads what an element has counted.
func (h *half) count(i item) (wire.Element, error) {
	return h.conn.Element(h.wire, h.table, i.set, i.key)
}

// refusable says that an error may be for what a batch asked: then a part of it
// may do. The others say that the kernel is not as we think, or is not to be
// told anything.
func refusable(err error) bool {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return false
	}
	general := []unix.Errno{unix.ENOENT, unix.EEXIST, unix.EBUSY, unix.EPERM, unix.EINTR, unix.EAGAIN, unix.ENOBUFS, unix.EBADF}
	return !slices.Contains(general, errno)
}

// chunk bounds the elements of one batch: nf_tables is locked while the kernel
// goes through it.
const chunk = 20000

// size is about how many elements a step changes.
func (s step) size() int {
	n := 0
	for _, st := range []*state{s.was, s.is} {
		if st != nil {
			n += len(st.Frontends) * (2 + len(st.cluster.slots) + len(st.local.slots))
		}
	}
	return n
}

// chunks cuts steps into such as fit a batch.
func chunks(steps []step) [][]step {
	var all [][]step
	from, n := 0, 0
	for i, s := range steps {
		if n += s.size(); n > chunk && i > from {
			all = append(all, steps[from:i])
			from, n = i, s.size()
		}
	}
	if from < len(steps) {
		all = append(all, steps[from:])
	}
	return all
}
