package nftables

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// maxSlots bounds how many slots the weights of a pool may ask for; a pool of
// more endpoints gets one for each.
const maxSlots = 4096

// shares says how many slots each endpoint gets: its weight, as small as the
// weights' common divisor and maxSlots make it, but one at least.
func shares(pool []plan.Endpoint) map[netip.AddrPort]int {
	divisor, total := 0, 0
	for _, e := range pool {
		divisor = gcd(divisor, weight(e))
		total += weight(e)
	}
	n := make(map[netip.AddrPort]int, len(pool))
	for _, e := range pool {
		w := weight(e) / divisor
		if total/divisor > maxSlots {
			w = max(1, weight(e)*maxSlots/total)
		}
		n[e.Address] = w
	}
	return n
}

func weight(e plan.Endpoint) int { return max(1, int(e.Weight)) }

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// assign gives slots to a pool and changes as few of old as it can: what has
// too many gives up its last, what is new fills the holes, and the last slots
// move into those that are left. With no old ones each endpoint's slots are
// spread evenly, for round robin.
func assign(old []netip.AddrPort, pool []plan.Endpoint) []netip.AddrPort {
	if len(pool) == 0 {
		return nil
	}
	missing := shares(pool)
	slots := slices.Clone(old)
	var holes []int
	for i, e := range slots {
		if missing[e] > 0 {
			missing[e]--
		} else {
			holes = append(holes, i)
		}
	}
	for _, e := range spread(pool, missing) {
		if len(holes) > 0 {
			slots[holes[0]], holes = e, holes[1:]
		} else {
			slots = append(slots, e)
		}
	}
	return closeUp(slots, holes)
}

// spread lists what is missing, in the pool's order, with an endpoint's shares
// as far apart as the others allow.
func spread(pool []plan.Endpoint, missing map[netip.AddrPort]int) []netip.AddrPort {
	type place struct {
		at float64
		e  netip.AddrPort
	}
	var places []place
	for _, e := range pool {
		n := missing[e.Address]
		for i := range n {
			places = append(places, place{(float64(i) + 0.5) / float64(n), e.Address})
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.at, b.at) })
	all := make([]netip.AddrPort, len(places))
	for i, p := range places {
		all[i] = p.e
	}
	return all
}

// closeUp moves the last slots into holes, which are in ascending order.
func closeUp(slots []netip.AddrPort, holes []int) []netip.AddrPort {
	for len(holes) > 0 {
		last := len(slots) - 1
		if n := len(holes) - 1; holes[n] == last {
			holes = holes[:n]
		} else {
			slots[holes[0]], holes = slots[last], holes[1:]
		}
		slots = slots[:last]
	}
	return slots
}

// room is how many slots an elastic balancer has for n filled ones. It grows
// when they don't fit, and shrinks only when a third or less is filled: an
// endpoint that comes and goes changes nothing.
func room(old, n int) int {
	if n == 0 || old >= n && (old <= 4 || 3*n > old) {
		return old
	}
	size := 1
	for size < n {
		size *= 2
	}
	return size
}

// primes are the sizes of Maglev tables; the smallest that has ten slots for
// each share serves. With 25 shares one endpoint has 10 % more than another at
// most, and nearly all clients stay when one comes or goes.
var primes = []int{251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521}

// maglev fills a table as Maglev does (Eisenbud et al., NSDI 2016, section 3.4):
// each endpoint has its own order of the slots, made of its address alone, and
// they take turns, one for each share of their weight, in taking the first slot
// in it that is free. So the table is the same on every node.
func maglev(pool []plan.Endpoint) []netip.AddrPort {
	if len(pool) == 0 {
		return nil
	}
	turns, total := shares(pool), 0
	for _, n := range turns {
		total += n
	}
	size := primes[len(primes)-1]
	if i := slices.IndexFunc(primes, func(p int) bool { return p >= 10*total }); i >= 0 {
		size = primes[i]
	}
	orders := make([]order, len(pool))
	for i, e := range pool {
		orders[i] = orderOf(e.Address, size)
	}
	table := make([]netip.AddrPort, size)
	for left := size; left > 0; {
		for i, e := range pool {
			for range min(turns[e.Address], left) {
				table[orders[i].take(table)] = e.Address
				left--
			}
		}
	}
	return table
}

// An order of the slots of a table of a prime size.
type order struct{ next, skip int }

func orderOf(e netip.AddrPort, size int) order {
	sum := sha256.Sum256(appendEndpoint(nil, e))
	offset := binary.BigEndian.Uint64(sum[:])
	skip := binary.BigEndian.Uint64(sum[8:])
	return order{int(offset % uint64(size)), int(skip%uint64(size-1)) + 1}
}

// take gives the first slot in order that is free. There must be one.
func (o *order) take(table []netip.AddrPort) int {
	for table[o.next].IsValid() {
		o.next = (o.next + o.skip) % len(table)
	}
	return o.next
}
