package nftables

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A balancer names a chain that sends a connection to one of the endpoints in
// a map. It is the same for all ports that have as many slots.
type balancer struct {
	balance  plan.Balance
	slots    int
	shard    int // of round robin: chains count for themselves
	nodePort bool
	local    bool // from the pool Local
	sticky   bool // to the endpoint that the client had, first
}

// kinds are the names of the ways to balance.
var kinds = map[plan.Balance]string{
	plan.Random:     "random",
	plan.RoundRobin: "round-robin",
	plan.SourceHash: "source-hash",
	plan.Maglev:     "maglev",
}

func (b balancer) name() string {
	var n strings.Builder
	if b.nodePort {
		n.WriteString("np-")
	}
	if b.local {
		n.WriteString("local-")
	}
	fmt.Fprintf(&n, "%s-%d", kinds[b.balance], b.slots)
	if b.balance == plan.RoundRobin {
		fmt.Fprintf(&n, "-%d", b.shard)
	}
	if b.sticky {
		n.WriteString("-sticky")
	}
	return n.String()
}

// slotsIn finds in a chain's name how many slots a pool had.
func slotsIn(name string, balance plan.Balance, local bool) int {
	for _, m := range named.FindAllStringSubmatch(name, -1) {
		if (m[1] != "") == local && m[2] == kinds[balance] {
			n, _ := strconv.Atoi(m[3])
			return n
		}
	}
	return 0
}

var named = regexp.MustCompile(`(local-)?(random|source-hash)-(\d+)`)

// elastic says that a balancer may have more slots than are filled: a power of
// two, of which it tries some until one is filled. So an endpoint more or less
// is an element in one map, and nothing else.
func elastic(b plan.Balance) bool { return b == plan.Random || b == plan.SourceHash }

// How often an elastic balancer tries any slot, and then one of the lower half.
// A half at least is filled when a port is new, so the first tries miss
// altogether for one connection in 32 at most; the lower half is full then.
const (
	triesAny   = 5
	triesLower = 5
)

// seed makes the hash of a client's address the same on every node.
const seed = 0x5a11

// balance makes a balancer's chain. A look for a slot that isn't there doesn't
// match, and the next rule is tried; slot 0 is there as long as there is an
// endpoint. An element that is replaced while a kernel looks for it may be
// missed once: hence slot 0 is always looked for again.
func (f family) balance(b balancer) chain {
	c := chain{name: b.name()}
	pool := b.pool()
	node := nodePortKey()
	key := node
	if !b.nodePort {
		key = f.frontendKey()
	}
	if b.sticky {
		known := affinity
		if b.nodePort {
			known = nodePortAffinity
		}
		c.rules = append(c.rules, rule{f.translateBy(concat(f.saddr(), key), known)})
	}
	for _, slot := range f.choices(b) {
		c.rules = append(c.rules, rule{f.translateBy(concat(key, slot), pool)})
	}
	c.rules = append(c.rules, rule{f.translateBy(concat(key, random(1)), pool)}, rule{gotoChain(refuse)})
	return c
}

// pool is the map of a balancer's endpoints.
func (b balancer) pool() string {
	switch {
	case b.nodePort && b.local:
		return nodePortLocal
	case b.nodePort:
		return nodePortEndpoints
	case b.local:
		return localEndpoints
	}
	return endpoints
}

// choices are the slots that a balancer tries, one after the other.
func (f family) choices(b balancer) []load {
	switch b.balance {
	case plan.RoundRobin:
		return []load{inOrder(b.slots)}
	case plan.Maglev:
		return []load{f.clientHash(b.slots, seed)}
	}
	var tries []load
	try := func(n, times int) {
		for range times {
			if b.balance == plan.Random {
				tries = append(tries, random(n))
			} else {
				tries = append(tries, f.clientHash(n, seed+uint32(len(tries))))
			}
		}
	}
	if b.slots == 1 {
		try(1, 1)
		return tries
	}
	try(b.slots, triesAny)
	if b.slots > 2 {
		try(b.slots/2, triesLower)
	}
	return tries
}

// A share is what one origin gets at a frontend.
type share struct {
	verdict    plan.Verdict
	masquerade bool
	balancer   balancer
}

func (s share) name() string {
	switch {
	case s.verdict == plan.Reject:
		return refuse
	case s.verdict == plan.Drop:
		return "drop"
	case s.masquerade:
		return "masq-" + s.balancer.name()
	}
	return s.balancer.name()
}

// statements do what a share says.
func (s share) statements(mark uint32) rule {
	switch {
	case s.verdict == plan.Reject:
		return rule{gotoChain(refuse)}
	case s.verdict == plan.Drop:
		return rule{dropIt()}
	case s.masquerade:
		return rule{setMark(mark), gotoChain(s.balancer.name())}
	}
	return rule{gotoChain(s.balancer.name())}
}

// An entrance is what each origin gets at a frontend. A chain is made for it
// unless all get the same without more ado.
type entrance struct{ elsewhere, pod, node share }

func (e entrance) plain() bool {
	return e.pod == e.elsewhere && e.node == e.elsewhere &&
		(e.elsewhere.verdict != plan.Serve || !e.elsewhere.masquerade)
}

// name is the chain to go to, "" to drop.
func (e entrance) name() string {
	if e.plain() {
		if e.elsewhere.verdict == plan.Drop {
			return ""
		}
		return e.elsewhere.name()
	}
	name := e.elsewhere.name()
	if e.pod != e.elsewhere {
		name += ".pod-" + e.pod.name()
	}
	if e.node != e.elsewhere {
		name += ".node-" + e.node.name()
	}
	return name
}

// chains are those that an entrance needs, those that others go to first.
func (f family) chains(e entrance, s *plan.Settings) []chain {
	var all []chain
	for _, sh := range []share{e.elsewhere, e.pod, e.node} {
		if sh.verdict == plan.Serve {
			all = append(all, f.balance(sh.balancer))
		}
	}
	if e.plain() {
		return all
	}
	c := chain{name: e.name()}
	if e.node != e.elsewhere {
		c.rules = append(c.rules, append(rule{fromHere()}, e.node.statements(s.MasqueradeMark)...))
	}
	if e.pod != e.elsewhere {
		for _, from := range f.fromPod(s.Detect, e.node == e.elsewhere) {
			c.rules = append(c.rules, append(from, e.pod.statements(s.MasqueradeMark)...))
		}
	}
	c.rules = append(c.rules, e.elsewhere.statements(s.MasqueradeMark))
	return append(all, c)
}
