package iptables

import (
	"maps"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A ruleset is what the kernel has been told of one family.
type ruleset struct {
	programmer
	ports       map[plan.ID]*plan.Port
	nat, filter *side
	own         map[string]int // rules in the ports' own chains, by table
}

func newRuleset(pr programmer) *ruleset {
	return &ruleset{programmer: pr, ports: map[plan.ID]*plan.Port{}, own: map[string]int{}, nat: newSide(pr.family), filter: newSide(pr.family)}
}

// whole is the script that makes a kernel hold the ruleset, and takes what it
// does not hold out of what was there. Chains that are a port's own lead nobody
// anywhere before the trees do, and may come before them in blocks of some
// chains each.
func (s *ruleset) whole(was map[string]*saved, some int) script {
	filter, own := &block{table: "filter"}, &block{table: "nat"}
	all := script{filter}
	for _, id := range sorted(slices.Collect(maps.Keys(s.ports))) {
		p := s.port(s.ports[id])
		s.filter.put(p.verdicts)
		s.nat.put(p.served)
		addAll(filter, p.filter)
		addAll(own, p.nat)
		s.tally(p, 1)
		if own.headLines >= some {
			all = append(all, own)
			own = &block{table: "nat"}
		}
	}
	addAll(filter, s.fixedFilter())
	addAll(own, s.fixedNat())
	s.filter.flush(filter)
	s.nat.flush(own)
	all = append(all, own)
	finish(filter, was["filter"], all.written("filter"))
	finish(own, was["nat"], all.written("nat"))
	return all
}

func addAll(b *block, all []chain) {
	for _, c := range all {
		b.chain(c)
	}
}

// finish puts jumps in where they are missing, and takes out what is not written
// and was there.
func finish(b *block, was *saved, written []string) {
	if was == nil {
		was = &saved{}
	}
	wanted := map[string]bool{}
	for _, h := range hooks() {
		if h.table != b.table {
			continue
		}
		wanted[h.String()] = true
		if was.jumps[h.String()] == 0 {
			b.tail("-I " + h.chain + " 1 " + h.body)
		}
	}
	kept := map[string]bool{}
	for _, name := range written {
		kept[name] = true
	}
	for _, jump := range slices.Sorted(maps.Keys(was.jumps)) {
		n := was.jumps[jump]
		if wanted[jump] {
			n--
		} else if kept[was.targets[jump]] {
			n = 0 // somebody's own rule, and where it leads to is there
		}
		for ; n > 0; n-- {
			b.tail("-D " + jump)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was.ours)) {
		if !kept[name] {
			b.gone(name)
		}
	}
}

// change is the script that brings changes in, and remembers them. It is in
// three steps, none of which refuses what another is to serve: what the filter
// table refuses is only what nat let pass.
func (s *ruleset) change(changes []plan.Change) script {
	before, nat, after := &block{table: "filter"}, &block{table: "nat"}, &block{table: "filter"}
	for _, c := range changes {
		was, is := s.port(s.ports[c.ID]), s.port(c.Is)
		s.tally(was, -1)
		s.tally(is, 1)
		s.filter.put(is.verdicts)
		s.nat.drop(was.served, is.served)
		s.nat.put(is.served)
		rewrite(before, after, was.filter, is.filter)
		rewrite(nat, nat, was.nat, is.nat)
	}
	s.filter.flush(before)
	s.nat.flush(nat)
	for _, c := range changes {
		was, is := s.port(s.ports[c.ID]), s.port(c.Is)
		s.filter.drop(was.verdicts, is.verdicts)
		s.remember(c)
	}
	s.filter.flush(after)
	return script{before, nat, after}
}

// tally counts a program's own rules in, or out where sign is -1.
func (s *ruleset) tally(p program, sign int) {
	s.own["nat"] += sign * lengths(p.nat)
	s.own["filter"] += sign * lengths(p.filter)
}

func lengths(all []chain) (n int) {
	for _, c := range all {
		n += len(c.rules)
	}
	return n
}

// rules are how many a table has of ours, the jumps to them included.
func (s *ruleset) rules(table string) int {
	trees, fixed := s.nat, s.fixedNat()
	if table == "filter" {
		trees, fixed = s.filter, s.fixedFilter()
	}
	n := s.own[table] + lengths(fixed)
	for _, t := range trees.trees() {
		n += t.rules
	}
	for _, h := range hooks() {
		if h.table == table {
			n++
		}
	}
	return n
}

func (s *ruleset) remember(c plan.Change) {
	if c.Is == nil {
		delete(s.ports, c.ID)
		return
	}
	s.ports[c.ID] = c.Is
}

// rewrite writes the chains that differ into one block, and takes those that
// went away in another, or the same.
func rewrite(write, remove *block, was, is []chain) {
	old := map[string][]rule{}
	for _, c := range was {
		old[c.name] = c.rules
	}
	for _, c := range is {
		rules, there := old[c.name]
		delete(old, c.name)
		if !there || !slices.EqualFunc(rules, c.rules, func(a, b rule) bool { return a.body == b.body }) {
			write.chain(c)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		remove.gone(name)
	}
}

// probe is the script by which a kernel says whether it takes some ports. It
// leads nobody anywhere: the chains are the ports' own, and what the trees
// would hold for them is in a chain of its own.
func (pr programmer) probe(ports []*plan.Port) script {
	filter, nat := &block{table: "filter"}, &block{table: "nat"}
	for _, c := range pr.fixedFilter() {
		if c.name == rejectChain {
			filter.chain(c)
		}
	}
	for _, c := range pr.fixedNat() {
		if c.name == outsideChain {
			nat.chain(c)
		}
	}
	tried, judged := chain{name: probeChain}, chain{name: probeChain}
	for _, port := range ports {
		p := pr.port(port)
		addAll(filter, p.filter)
		addAll(nat, p.nat)
		tried.rules = append(tried.rules, bodies(p.served)...)
		judged.rules = append(judged.rules, bodies(p.verdicts)...)
	}
	filter.chain(judged)
	nat.chain(tried)
	return script{filter, nat}
}

// bodies are the rules of entries, without what leads to them.
func bodies(entries []entry) []rule {
	var rules []rule
	for _, e := range entries {
		for _, body := range e.rules {
			rules = append(rules, rule{body, e.of})
		}
	}
	return rules
}

// unprobe takes away what a probe left.
func unprobe() script {
	filter, nat := &block{table: "filter"}, &block{table: "nat"}
	filter.gone(probeChain)
	nat.gone(probeChain)
	return script{filter, nat}
}

// each calls f with every chain of a table that the kernel should have.
func (s *ruleset) each(table string, f func(chain)) {
	trees, fixed := s.nat, s.fixedNat()
	if table == "filter" {
		trees, fixed = s.filter, s.fixedFilter()
	}
	for _, c := range fixed {
		f(c)
	}
	for _, t := range trees.trees() {
		t.each(f)
	}
	for _, port := range s.ports {
		p := s.port(port)
		own := p.nat
		if table == "filter" {
			own = p.filter
		}
		for _, c := range own {
			f(c)
		}
	}
}
