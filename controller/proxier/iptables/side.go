package iptables

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A spot is where packets are sent to. The zero Addr is the addresses at which
// node ports answer; protocol 0 is all that nothing else of the address takes.
type spot struct {
	addr     netip.Addr
	protocol plan.Protocol
	port     uint16
}

// match is what tells packets to a spot from all others to its address, with a
// space at its end.
func (s spot) match() string {
	if s.protocol == 0 {
		return ""
	}
	return fmt.Sprintf("-p %s -m %s --dport %d ", s.protocol, s.protocol, s.port)
}

// An entry is what one port wants done with packets to a spot.
type entry struct {
	at    spot
	of    *plan.ID
	rules []string
}

// compare sorts the entries of one address. Protocol 0 comes last, for it takes
// everything.
func (e entry) compare(o entry) int {
	return cmp.Or(
		cmp.Compare(e.at.protocol-1, o.at.protocol-1),
		cmp.Compare(e.at.port, o.at.port),
		compareIDs(*e.of, *o.of),
	)
}

// A side is the trees of one table.
type side struct {
	addresses *tree
	nodePorts map[plan.Protocol]*tree
}

// protocols are those that have trees of node ports.
func protocols() []plan.Protocol { return []plan.Protocol{plan.TCP, plan.UDP, plan.SCTP} }

func newSide(f plan.Family) *side {
	s := &side{
		addresses: newTree(addressTree, addressSteps(f), 2, func(word string) string { return "-d " + prefixOf(f, word) + " " }),
		nodePorts: map[plan.Protocol]*tree{},
	}
	for _, p := range protocols() {
		s.nodePorts[p] = newTree(nodePortRoot(p), []int{1, 2, 3, 4}, 1<<30, portRange(p))
	}
	return s
}

func nodePortRoot(p plan.Protocol) string { return nodePortTree + strings.ToUpper(p.String()) }

// addressSteps are one digit at a time for IPv4. With IPv6 that would be too
// deep; Services have the last 20 bits at most to themselves, which go by
// single digits, and what is before them goes by what networks are given out.
func addressSteps(f plan.Family) []int {
	if f == plan.IPv4 {
		return []int{1, 2, 3, 4, 5, 6, 7, 8}
	}
	return []int{8, 16, 24, 28, 29, 30, 31, 32}
}

// prefixOf is the prefix that hexadecimal digits begin.
func prefixOf(f plan.Family, word string) string {
	digits := 8
	if f == plan.IPv6 {
		digits = 32
	}
	raw, err := hex.DecodeString(word + strings.Repeat("0", digits-len(word)))
	if err != nil {
		return ""
	}
	a, _ := netip.AddrFromSlice(raw)
	return netip.PrefixFrom(a, 4*len(word)).String()
}

// portRange matches the ports that hexadecimal digits begin. A single port's
// rules match it themselves.
func portRange(p plan.Protocol) func(string) string {
	return func(word string) string {
		open := 4 * (4 - len(word))
		first, err := strconv.ParseUint(word, 16, 16)
		if err != nil || open == 0 {
			return ""
		}
		first <<= open
		return fmt.Sprintf("-p %s -m %s --dport %d:%d ", p, p, first, first|(1<<open-1))
	}
}

// place finds the tree of a spot and its word there. The tree is nil for a
// protocol that has no node ports.
func (s *side) place(at spot) (*tree, string) {
	if at.addr.IsValid() {
		return s.addresses, hex.EncodeToString(at.addr.AsSlice())
	}
	return s.nodePorts[at.protocol], fmt.Sprintf("%04x", at.port)
}

func (s *side) put(entries []entry) {
	for _, e := range entries {
		if t, word := s.place(e.at); t != nil {
			t.put(word, e)
		}
	}
}

// drop takes entries away, but for those whose place others now have.
func (s *side) drop(entries, but []entry) {
	kept := map[spot]bool{}
	for _, e := range but {
		kept[e.at] = true
	}
	for _, e := range entries {
		if t, word := s.place(e.at); t != nil && !kept[e.at] {
			t.drop(word, e)
		}
	}
}

func (s *side) trees() []*tree {
	all := []*tree{s.addresses}
	for _, p := range protocols() {
		all = append(all, s.nodePorts[p])
	}
	return all
}

func (s *side) flush(b *block) {
	for _, t := range s.trees() {
		t.flush(b)
	}
}
