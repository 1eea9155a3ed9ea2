package planner

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A key is what one alone can have: an address and port of a protocol, a node
// port (no address), or an address as such (no port and no protocol), which is
// its ClusterIP's Service's. It has no pointers, which keeps the garbage
// collector out of large maps.
type key struct {
	address  [16]byte
	port     uint16
	protocol plan.Protocol
	family   plan.Family
}

func frontendKey(f plan.Frontend, family plan.Family, protocol plan.Protocol) key {
	k := key{port: f.Port, protocol: protocol, family: family}
	if f.Kind != plan.NodePort {
		k.address = f.Address.As16()
	}
	return k
}

func addressKey(a netip.Addr) key { return key{address: a.As16(), family: plan.FamilyOf(a)} }

// healthKeys are those of a health-check node port: it takes TCP connections to
// the node's addresses of both families, as a node port does.
func healthKeys(port uint16) [2]key {
	return [2]key{
		{port: port, protocol: plan.TCP, family: plan.IPv4},
		{port: port, protocol: plan.TCP, family: plan.IPv6},
	}
}

func (k key) ofAddress() bool { return k.protocol == 0 }

// A rank goes before age. ClusterIPs are given by the cluster, and the other
// addresses are what a tenant says they are, or who serves the tenant.
type rank uint8

const (
	given rank = iota
	said
)

func rankOf(k plan.Kind) rank {
	if k == plan.LoadBalancerIP || k == plan.ExternalIP {
		return said
	}
	return given
}

// The parts of a service that can have a key: a port by its index in
// spec.ports, or one of these.
const (
	wholePart  int32 = -1
	healthPart int32 = math.MaxInt32
)

// A stake is what a service asks for.
type stake struct {
	key  key
	part int32
	rank rank
}

// A claim is one service's stake in a key.
type claim struct {
	who  *service
	part int32
	rank rank
}

// before says whether a has the key where b wants it too: by rank, then by age,
// and where that is the same, by what stays the same.
func (a claim) before(b claim) bool {
	return cmp.Or(
		cmp.Compare(a.rank, b.rank),
		cmp.Compare(a.who.created, b.who.created),
		cmp.Compare(a.who.uid, b.who.uid),
		cmp.Compare(a.who.name.Namespace, b.who.name.Namespace),
		cmp.Compare(a.who.name.Name, b.who.name.Name),
		cmp.Compare(a.part, b.part)) < 0
}

// claims say who has what, and who would have it next.
type claims struct {
	holder  map[key]claim
	waiting map[key][]claim // in no order; hardly any key has one
}

// newClaims has room for so many.
func newClaims(room int) claims {
	return claims{holder: make(map[key]claim, room), waiting: map[key][]claim{}}
}

// enter enters all stakes of a service that has none entered.
func (c *claims) enter(who *service) {
	for _, s := range who.stakes {
		is := claim{who: who, part: s.part, rank: s.rank}
		was, contested := c.holder[s.key]
		if !contested || is.before(was) {
			c.holder[s.key] = is
			is = was
		}
		if contested {
			c.waiting[s.key] = append(c.waiting[s.key], is)
		}
	}
}

// move enters anew services whose stakes or age changed; moved has what stakes
// each had before. It gives the services for which the answer to wins may be
// another than before.
func (c *claims) move(moved map[*service][]stake) map[*service]bool {
	was := map[key]claim{}
	for _, stakes := range moved {
		for _, s := range stakes {
			if _, done := was[s.key]; !done {
				was[s.key] = c.winner(s.key)
				c.leave(s.key, moved)
			}
		}
	}
	for who := range moved {
		for _, s := range who.stakes {
			if _, known := was[s.key]; !known {
				was[s.key] = c.winner(s.key)
			}
		}
	}
	for who := range moved {
		c.enter(who)
	}
	concerned := map[*service]bool{}
	for k, w := range was {
		is := c.winner(k)
		if _, moves := moved[is.who]; is == w && !moves {
			continue // those who lose it lose it to the same
		}
		if first, ok := c.holder[k]; ok {
			concerned[first.who] = true
		}
		for _, other := range c.waiting[k] {
			concerned[other.who] = true
		}
	}
	return concerned
}

// winner is who keeps the others out: nobody where all may have the address,
// which is where it is no ClusterIP.
func (c *claims) winner(k key) claim {
	if is := c.holder[k]; !k.ofAddress() || is.rank == given {
		return is
	}
	return claim{}
}

// leave takes the claims of the services that move off a key.
func (c *claims) leave(k key, moved map[*service][]stake) {
	var first claim
	var rest []claim
	for _, one := range append(c.waiting[k], c.holder[k]) {
		if _, moves := moved[one.who]; moves || one.who == nil {
			continue
		}
		switch {
		case first.who == nil:
			first = one
		case one.before(first):
			rest = append(rest, first)
			first = one
		default:
			rest = append(rest, one)
		}
	}
	delete(c.waiting, k)
	delete(c.holder, k)
	if first.who != nil {
		c.holder[k] = first
	}
	if len(rest) > 0 {
		c.waiting[k] = rest
	}
}

// wins says whether a claim has its key.
func (c *claims) wins(k key, is claim) bool { return c.holder[k] == is }

// taken says why a claim does not have a key, which what names.
func (c *claims) taken(k key, is claim, what string) string {
	by := c.holder[k]
	if by.who == is.who {
		return what + " is taken by another port of this Service"
	}
	why := "which is older"
	if by.who.created == is.who.created {
		why = "which is as old and comes first"
	}
	purpose := ""
	if by.part == healthPart {
		purpose = " for its health checks"
	}
	return fmt.Sprintf("%s is taken by Service %s%s, %s", what, by.who.name, purpose, why)
}

// owner is the service whose ClusterIP an address is; nil: there is none.
func (c *claims) owner(a netip.Addr) *service { return c.winner(addressKey(a)).who }
