package iptables

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A mirror is what a kernel would have after it was told all that a tree says.
type mirror map[string][]string

func (m mirror) take(t *testing.T, tr *tree) {
	t.Helper()
	b := &block{table: "nat"}
	tr.flush(b)
	for line := range strings.Lines(b.heads.String()) {
		m[strings.Fields(line)[0][1:]] = nil
	}
	for line := range strings.Lines(b.bodies.String()) {
		name, body, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "-A "), " ")
		m[name] = append(m[name], body)
	}
	for line := range strings.Lines(b.tails.String()) {
		delete(m, strings.TrimPrefix(strings.TrimSpace(line), "-X "))
	}
	for name, rules := range m {
		for _, r := range rules {
			if to := word(r, "-g"); strings.HasPrefix(to, addressTree) || strings.HasPrefix(to, nodePortTree) {
				if _, there := m[to]; !there {
					t.Fatalf("%s leads to %s, which is not there", name, to)
				}
			}
		}
	}
}

// A tree that was told changes says the same as one that begins with their
// outcome, and is never deeper than nf_tables takes.
func TestTreeGoesByChanges(t *testing.T) {
	for name, make := range map[string]func(*rand.Rand) (*tree, func() string){
		"IPv4": func(r *rand.Rand) (*tree, func() string) {
			return newSide(plan.IPv4).addresses, func() string { return fmt.Sprintf("%08x", r.Uint32()&0x0f0f0f0f|0x0a000000) }
		},
		"IPv6": func(r *rand.Rand) (*tree, func() string) {
			return newSide(plan.IPv6).addresses, func() string {
				raw := [16]byte{0: 0xfd, 4: byte(r.IntN(3)), 7: byte(r.IntN(3)), 14: byte(r.IntN(4)), 15: byte(r.IntN(256))}
				return hex.EncodeToString(raw[:])
			}
		},
		"ports": func(r *rand.Rand) (*tree, func() string) {
			return newSide(plan.IPv4).nodePorts[plan.TCP], func() string { return fmt.Sprintf("%04x", 30000+r.IntN(2768)) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			old, draw := make(r)
			kernel, held, words := mirror{}, map[string][]entry{}, []string{}
			for range 300 {
				words = append(words, draw())
			}
			for range 400 {
				for range 1 + r.IntN(5) {
					change(r, old, held, words[r.IntN(len(words))])
				}
				kernel.take(t, old)
			}
			fresh, _ := make(r)
			for w, entries := range held {
				for _, e := range entries {
					fresh.put(w, e)
				}
			}
			want := mirror{}
			want.take(t, fresh)
			if diff := cmp.Diff(want, kernel); diff != "" {
				t.Error("what changes made differs from what is made at once:", diff)
			}
			if d := deep(old.root); d > 9 {
				t.Errorf("the tree is %d chains deep", d)
			}
		})
	}
}

func change(r *rand.Rand, tr *tree, held map[string][]entry, w string) {
	e := entry{at: spot{port: uint16(r.IntN(4)), protocol: plan.TCP}, of: &plan.ID{}, rules: []string{fmt.Sprint("-j ", r.IntN(3))}}
	same := func(o entry) bool { return o.compare(e) == 0 }
	held[w] = slices.DeleteFunc(held[w], same)
	if r.IntN(2) == 0 {
		tr.drop(w, e)
		return
	}
	held[w] = append(held[w], e)
	tr.put(w, e)
}

func deep(n *node) int {
	d := 0
	for _, kid := range n.kids {
		d = max(d, deep(kid))
	}
	return d + 1
}

// With ten thousand Services spread over their network no first packet has to
// be compared with more than a hundred rules.
func TestTreeIsShallow(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	tr := newSide(plan.IPv4).addresses
	for range 10000 {
		tr.put(fmt.Sprintf("%08x", 0x0a600000|r.Uint32()&0xfffff), entry{at: spot{protocol: plan.TCP, port: 80}, of: &plan.ID{}, rules: []string{"-j ACCEPT"}})
	}
	var worst func(n *node) int
	worst = func(n *node) int {
		most := 0
		for _, kid := range n.kids {
			most = max(most, worst(kid))
		}
		return most + len(tr.chain(n).rules)
	}
	if n := worst(tr.root); n > 100 {
		t.Errorf("a packet may be compared with %d rules", n)
	}
	if n := len(tr.chain(tr.root).rules); n != 1 {
		t.Errorf("a packet to somewhere else is compared with %d rules", n)
	}
}
