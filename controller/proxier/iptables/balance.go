package iptables

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// pool is the chain that chooses among a treatment's endpoints.
func (d *draft) pool(t plan.Treatment) string {
	first := clusterPool
	if t.Local {
		first = localPool
	}
	name := first + d.name
	return d.add(name, func() []string {
		to := make([]string, len(t.Pool))
		for i, e := range t.Pool {
			to[i] = d.endpoint(e.Address)
		}
		return append(d.remembered(to), d.chosen(name, t.Pool, to)...)
	})
}

// remembered sends a client to the endpoint it had. A list of "recent" belongs
// to the rules that name it: with the chain of an endpoint that goes, its list
// goes too, and while both chains are written anew in one commit it stays.
func (d *draft) remembered(to []string) []string {
	if d.affinity() <= 0 {
		return nil
	}
	rules := make([]string, len(to))
	for i, c := range to {
		rules[i] = fmt.Sprintf("-m recent --name %s --rcheck --seconds %d --reap --rsource -g %s", c, seconds(d.affinity()), c)
	}
	return rules
}

// memory is how long a client is remembered in the place of being hashed: the
// API's default for affinity.
const memory = 3 * time.Hour

// affinity is for how long a client keeps its endpoint. Where it can't be
// hashed to one, it is remembered.
func (d *draft) affinity() time.Duration {
	hashes := d.port.Balance == plan.SourceHash || d.port.Balance == plan.Maglev
	if d.port.Affinity <= 0 && hashes && !d.hash {
		return memory
	}
	return d.port.Affinity
}

// chosen sends everybody else to one of the endpoints.
func (d *draft) chosen(name string, pool []plan.Endpoint, to []string) []string {
	switch d.port.Balance {
	case plan.SourceHash, plan.Maglev:
		if d.hash && len(pool) > 1 {
			return d.hashed(name, d.slots(pool), to)
		}
	case plan.RoundRobin:
		if equal(pool) {
			return inTurn(to)
		}
	}
	return byChance(pool, to)
}

// equal says that all endpoints weigh the same.
func equal(pool []plan.Endpoint) bool {
	return !slices.ContainsFunc(pool, func(e plan.Endpoint) bool { return weight(e) != weight(pool[0]) })
}

func weight(e plan.Endpoint) int { return max(1, int(e.Weight)) }

// inTurn lets through each rule one connection of as many as are left to it.
// The counter of "nth" is one for all processors.
func inTurn(to []string) []string {
	var rules []string
	for i, c := range to {
		match := ""
		if left := len(to) - i; left > 1 {
			match = fmt.Sprintf("-m statistic --mode nth --every %d --packet 0 ", left)
		}
		rules = append(rules, match+"-g "+c)
	}
	return rules
}

// byChance lets through each rule its endpoint's share of what is left to it.
// "statistic" keeps 31 bits of a probability, which ten digits hold.
func byChance(pool []plan.Endpoint, to []string) []string {
	left := 0
	for _, e := range pool {
		left += weight(e)
	}
	var rules []string
	for i, e := range pool {
		match := ""
		if i < len(pool)-1 {
			share := strconv.FormatFloat(float64(weight(e))/float64(left), 'f', 10, 64)
			match = "-m statistic --mode random --probability " + share + " "
		}
		left -= weight(e)
		rules = append(rules, match+"-g "+to[i])
	}
	return rules
}

// endpoint is the chain that sends a connection to one endpoint. What comes
// from the endpoint itself is masqueraded, or the answer would not come back by
// way of this node.
func (d *draft) endpoint(at netip.AddrPort) string {
	name := endpointName + digest(d.port.ID.String(), at.String())
	return d.add(name, func() []string {
		set := ""
		if d.affinity() > 0 {
			set = "-m recent --name " + name + " --set --rsource "
		}
		return []string{
			"-s " + netip.PrefixFrom(at.Addr(), at.Addr().BitLen()).String() + " " + d.mark(),
			fmt.Sprintf("-p %s %s-j DNAT --to-destination %s", d.port.Protocol, set, at),
		}
	})
}
