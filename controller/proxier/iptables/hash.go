package iptables

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// The match "cluster" hashes the address that a connection was begun from to
// one of at most 32 numbers. Two of them, one after the other and with
// different seeds, hash it to one of 1024 slots. The seeds are the same on
// every node, and so is the hash.
const (
	fan       = 32
	slotCount = fan * fan
	firstSeed = 0x5a11
	nextSeed  = 0x9047
)

// slots gives each slot the index of an endpoint.
func (d *draft) slots(pool []plan.Endpoint) []int {
	if d.port.Balance == plan.Maglev {
		return maglev(pool)
	}
	total := 0
	for _, e := range pool {
		total += weight(e)
	}
	slots := make([]int, slotCount)
	i, upTo := 0, weight(pool[0])
	for s := range slots {
		for s*total >= upTo*slotCount {
			i++
			upTo += weight(pool[i])
		}
		slots[s] = i
	}
	return slots
}

// maglev lets endpoints take slots in turn, each in an order of its own that
// depends on its address alone, until none is free. An endpoint takes a slot in
// as many turns of a hundred as its weight is to the greatest.
func maglev(pool []plan.Endpoint) []int {
	type order struct{ at, step, credit int }
	orders, top := make([]order, len(pool)), 0
	for i, e := range pool {
		sum := sha256.Sum256([]byte(e.Address.String()))
		// An odd step comes by all slots, for their number is a power of two.
		orders[i] = order{at: int(binary.BigEndian.Uint32(sum[:])), step: int(binary.BigEndian.Uint32(sum[4:])) | 1}
		top = max(top, weight(e))
	}
	slots := make([]int, slotCount)
	for s := range slots {
		slots[s] = -1
	}
	for taken := 0; ; {
		for i := range orders {
			o := &orders[i]
			if o.credit += weight(pool[i]); o.credit < top {
				continue
			}
			o.credit -= top
			for slots[o.at%slotCount] >= 0 {
				o.at += o.step
			}
			slots[o.at%slotCount] = i
			if taken++; taken == slotCount {
				return slots
			}
		}
	}
}

// hashed sends each group of slots to its endpoint, or to a chain that tells
// its slots apart.
func (d *draft) hashed(name string, slots []int, to []string) []string {
	targets := make([]string, fan)
	for g := range targets {
		group := slots[g*fan : (g+1)*fan]
		names := make([]string, fan)
		for s, i := range group {
			names[s] = to[i]
		}
		if len(slices.Compact(slices.Clone(names))) == 1 {
			targets[g] = names[0]
			continue
		}
		targets[g] = d.add(slotGroup+digest(name, fmt.Sprint(g)), func() []string { return spread(names, nextSeed) })
	}
	return spread(targets, firstSeed)
}

// spread sends each of 32 slots to its chain: the most usual one without a match
// and last, all others by a rule for each slot. One rule with a mask of slots
// would do, but iptables 1.8 takes no mask above 32.
func spread(targets []string, seed uint32) []string {
	times, usual := map[string]int{}, targets[0]
	for _, c := range targets {
		if times[c]++; times[c] > times[usual] {
			usual = c
		}
	}
	var rules []string
	for s, c := range targets {
		if c != usual {
			rules = append(rules, fmt.Sprintf("-m cluster --cluster-total-nodes %d --cluster-local-node %d --cluster-hash-seed %#x -g %s",
				fan, s+1, seed, c))
		}
	}
	return append(rules, "-g "+usual)
}
