package userspace

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"net/netip"
	"sort"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// turns says which endpoint of a pool is the next one's. Its owner locks it.
type turns struct {
	pool    []plan.Endpoint
	balance plan.Balance
	// ends are the running sums of the weights: a number below the last one
	// belongs to the first endpoint whose end is above it.
	ends []int
	even bool // all weights are the same
	next int  // of round robin among even weights
	// credit is what each endpoint is owed, in round robin among uneven weights.
	credit []int
}

// newTurns goes on where the turns before it were, so that an endpoint that
// comes or goes doesn't send all to the first one.
func newTurns(pool []plan.Endpoint, b plan.Balance, before *turns) *turns {
	t := &turns{pool: pool, balance: b, ends: make([]int, len(pool)), even: true}
	sum := 0
	for i, e := range pool {
		sum += int(e.Weight)
		t.ends[i] = sum
		t.even = t.even && e.Weight == pool[0].Weight
	}
	if !t.even {
		t.credit = make([]int, len(pool))
	}
	if before != nil {
		t.next = before.next
	}
	return t
}

// first gives the index of the endpoint that a client gets. The pool must not
// be empty.
func (t *turns) first(client netip.Addr) int {
	switch t.balance {
	case plan.Random:
		return t.at(rand.IntN(t.ends[len(t.ends)-1]))
	case plan.SourceHash:
		return t.at(int(spread(client, netip.AddrPort{}) % uint64(t.ends[len(t.ends)-1])))
	case plan.Maglev:
		return t.nearest(client)
	}
	if t.even {
		i := t.next % len(t.pool)
		t.next = i + 1
		return i
	}
	return t.owed()
}

// at gives the endpoint that a number below the sum of weights belongs to.
func (t *turns) at(n int) int {
	return sort.Search(len(t.ends), func(i int) bool { return t.ends[i] > n })
}

// owed is round robin by weights, without runs of the heavy ones: every turn
// credits each endpoint with its weight, and who has most pays for all.
func (t *turns) owed() int {
	best := 0
	for i, e := range t.pool {
		t.credit[i] += int(e.Weight)
		if t.credit[i] > t.credit[best] {
			best = i
		}
	}
	t.credit[best] -= t.ends[len(t.ends)-1]
	return best
}

// nearest keeps what Maglev promises, by rendezvous hashing: an endpoint that
// goes moves its own clients alone, one that comes takes its share and no more,
// and every node answers the same. A table would be faster to ask and slower to
// make; here a connection costs a dial anyway.
func (t *turns) nearest(client netip.Addr) int {
	best, most := 0, math.Inf(-1)
	for i, e := range t.pool {
		// The 53 bits that a float64 holds, and never 0 or 1.
		u := (float64(spread(client, e.Address)>>11) + 0.5) / (1 << 53)
		if score := -float64(e.Weight) / math.Log(u); score > most {
			best, most = i, score
		}
	}
	return best
}

// spread hashes an address, with an endpoint's where that is valid. It is the
// same on every machine.
func spread(client netip.Addr, endpoint netip.AddrPort) uint64 {
	h := fnv.New64a()
	a := client.As16()
	h.Write(a[:])
	if endpoint.IsValid() {
		e := endpoint.Addr().As16()
		h.Write(e[:])
		h.Write(binary.BigEndian.AppendUint16(nil, endpoint.Port()))
	}
	// FNV leaves neighbours near each other; this finish of the SplitMix
	// generator takes them apart.
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
