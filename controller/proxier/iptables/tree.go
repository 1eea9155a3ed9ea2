package iptables

import (
	"slices"
	"strings"
)

// A tree finds the rules for a destination in few steps: each branch is a chain
// with one rule for each of its kids, and a kid is a branch, or a leaf that has
// the rules of one address. A branch is there only where destinations part, so
// that a packet to somewhere else leaves at the root, and no chain is longer
// than 16 kids where a step is one digit.
//
// A destination is a word of hexadecimal digits. Every rule of a branch leads
// on by goto, not by jump: what finds nothing goes back to where the root was
// jumped to from, at once.
type tree struct {
	root *node
	name string
	// steps are the lengths of words at which branches may part. They bound the
	// depth: nf_tables refuses more than 16 chains in a row, gotos too.
	steps []int
	// inline is how many rules a leaf may have and yet have no chain of its
	// own: they stand in its branch.
	inline int
	// match is what in a rule tells a word's destinations from all others, with
	// a space at its end.
	match func(word string) string
	// dirty are the words of the nodes that differ from their chains.
	dirty map[string]bool
	// lengths are how many rules the chains have that were flushed, and rules is
	// their sum.
	lengths map[string]int
	rules   int
}

type node struct {
	word    string
	kids    []*node // of a branch, sorted
	entries []entry // of a leaf, sorted
}

func newTree(name string, steps []int, inline int, match func(string) string) *tree {
	t := &tree{root: &node{}, name: name, steps: steps, inline: inline, match: match, dirty: map[string]bool{}, lengths: map[string]int{}}
	t.dirty[""] = true
	return t
}

// put adds an entry, or puts it in the place of the one with the same key.
func (t *tree) put(word string, e entry) {
	parent, leaf := t.open(word)
	before := t.inlined(leaf)
	i, there := slices.BinarySearchFunc(leaf.entries, e, entry.compare)
	switch {
	case there && slices.Equal(leaf.entries[i].rules, e.rules):
		leaf.entries[i] = e
		return
	case there:
		leaf.entries[i] = e
	default:
		leaf.entries = slices.Insert(leaf.entries, i, e)
	}
	t.changed(parent, leaf, before)
}

// drop takes an entry away, if it is there.
func (t *tree) drop(word string, e entry) {
	trail := t.find(word)
	if len(trail) == 0 {
		return
	}
	parent, leaf := trail[len(trail)-2], trail[len(trail)-1]
	i, there := slices.BinarySearchFunc(leaf.entries, e, entry.compare)
	if !there {
		return
	}
	before := t.inlined(leaf)
	leaf.entries = slices.Delete(leaf.entries, i, i+1)
	t.changed(parent, leaf, before)
	if len(leaf.entries) > 0 {
		return
	}
	parent.kids = slices.DeleteFunc(parent.kids, func(n *node) bool { return n == leaf })
	t.dirty[parent.word] = true
	if len(parent.kids) == 1 && parent != t.root {
		above := trail[len(trail)-3]
		above.kids[slices.Index(above.kids, parent)] = parent.kids[0]
		t.dirty[above.word] = true
	}
}

// changed marks what has to be written anew after a leaf changed. Its branch
// stays as it is where the leaf had and has its own chain.
func (t *tree) changed(parent, leaf *node, before bool) {
	after := t.inlined(leaf)
	if before || after {
		t.dirty[parent.word] = true
	}
	if !before || !after {
		t.dirty[leaf.word] = true
	}
}

// open finds a leaf and the branch above it, and makes them if need be.
func (t *tree) open(word string) (parent, leaf *node) {
	n := t.root
	for {
		i, there := n.search(t.next(n), word)
		if !there {
			leaf := &node{word: word}
			n.kids = slices.Insert(n.kids, i, leaf)
			t.dirty[n.word] = true
			return n, leaf
		}
		kid := n.kids[i]
		if kid.word == word {
			return n, kid
		}
		if !strings.HasPrefix(word, kid.word) {
			kid = &node{word: word[:t.common(word, kid.word)], kids: []*node{kid}}
			n.kids[i] = kid
			t.dirty[n.word], t.dirty[kid.word] = true, true
		}
		n = kid
	}
}

// find gives all nodes from the root to a word's, or nothing.
func (t *tree) find(word string) []*node {
	trail := []*node{t.root}
	for n := t.root; n.word != word; {
		if len(n.word) >= len(word) {
			return nil
		}
		i, there := n.search(t.next(n), word)
		if !there || !strings.HasPrefix(word, n.kids[i].word) {
			return nil
		}
		n = n.kids[i]
		trail = append(trail, n)
	}
	return trail
}

// search finds the kid that begins as a word does, up to a length.
func (n *node) search(length int, word string) (int, bool) {
	return slices.BinarySearchFunc(n.kids, word[:min(length, len(word))], func(kid *node, first string) int {
		return strings.Compare(kid.word[:min(length, len(kid.word))], first)
	})
}

// next is the first step after a branch: no two of its kids are the same up to
// there.
func (t *tree) next(n *node) int {
	for _, s := range t.steps {
		if s > len(n.word) {
			return s
		}
	}
	return len(n.word)
}

// common is the last step up to which two words are the same.
func (t *tree) common(a, b string) int {
	same := 0
	for _, s := range t.steps {
		if s < len(a) && s < len(b) && a[:s] == b[:s] {
			same = s
		}
	}
	return same
}

// inlined says whether a node is a leaf without a chain.
func (t *tree) inlined(n *node) bool {
	return n != t.root && n.kids == nil && len(leafRules(n)) <= t.inline
}

func leafRules(n *node) []rule {
	var rules []rule
	for _, e := range n.entries {
		for _, body := range e.rules {
			if !slices.ContainsFunc(rules, func(r rule) bool { return r.body == body }) {
				rules = append(rules, rule{body, e.of})
			}
		}
	}
	return rules
}

// chain is the chain of a node that has one.
func (t *tree) chain(n *node) chain {
	c := chain{name: t.chainName(n.word)}
	if n != t.root && n.kids == nil {
		c.rules = leafRules(n)
		return c
	}
	for _, kid := range n.kids {
		match := t.match(kid.word)
		if !t.inlined(kid) {
			c.rules = append(c.rules, rule{body: match + "-g " + t.chainName(kid.word)})
			continue
		}
		for _, r := range leafRules(kid) {
			c.rules = append(c.rules, rule{match + r.body, r.of})
		}
	}
	return c
}

// chainName says the word in full where there is room for it, as it is for
// IPv4.
func (t *tree) chainName(word string) string {
	switch {
	case word == "":
		return t.name
	case len(word) > 14:
		return t.name + "-" + digest(word)
	}
	return t.name + "-" + strings.ToUpper(word)
}

// flush writes the chains that changed since the last time.
func (t *tree) flush(b *block) {
	words := make([]string, 0, len(t.dirty))
	for w := range t.dirty {
		words = append(words, w)
	}
	slices.Sort(words)
	for _, w := range words {
		trail := t.find(w)
		if len(trail) == 0 || t.inlined(trail[len(trail)-1]) {
			b.gone(t.chainName(w))
			t.rules -= t.lengths[w]
			delete(t.lengths, w)
			continue
		}
		c := t.chain(trail[len(trail)-1])
		b.chain(c)
		t.rules += len(c.rules) - t.lengths[w]
		t.lengths[w] = len(c.rules)
	}
	clear(t.dirty)
}

// each calls f with every chain of the tree.
func (t *tree) each(f func(chain)) {
	var walk func(*node)
	walk = func(n *node) {
		if t.inlined(n) {
			return
		}
		f(t.chain(n))
		for _, kid := range n.kids {
			walk(kid)
		}
	}
	walk(t.root)
}
