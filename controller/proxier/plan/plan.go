// Package plan says what a node does with the traffic of Services, in terms
// that every kernel interface can be told: where a port of a Service is
// reached, which endpoints answer there, and who gets which of them.
//
// It has types and the decisions that follow from them alone. It reads no
// object and no kernel, and nothing in it is a rule of one mode: what a packet
// gets is decided here once, and each mode only says it in its own language.
package plan

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// A Plan is all that the node is to do. It is its planner's, whose next step
// changes the maps: who is given one reads what it needs before it returns, and
// changes nothing. A Port in it never changes: another takes its place.
type Plan struct {
	Settings     Settings
	Ports        map[ID]*Port
	HealthChecks map[Service]HealthCheck
}

// A Service names a Service.
type Service struct{ Namespace, Name string }

func (s Service) String() string { return s.Namespace + "/" + s.Name }

// An ID is one port of one Service in one family of addresses. It is what
// changes, fails and is counted as one.
type ID struct {
	Service
	Port     string // the port's name; "" for the only one
	Protocol Protocol
	Family   Family
}

func (id ID) String() string {
	name := id.Service.String()
	if id.Port != "" {
		name += ":" + id.Port
	}
	return fmt.Sprintf("%s/%s/%s", name, id.Protocol, id.Family)
}

// A Protocol is an IP protocol's number.
type Protocol uint8

// The protocols that Services know.
const (
	TCP  Protocol = 6
	UDP  Protocol = 17
	SCTP Protocol = 132
)

// String is the protocol's name as iptables and nft write it.
func (p Protocol) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case SCTP:
		return "sctp"
	}
	return strconv.Itoa(int(p))
}

// A Family is a version of IP.
type Family uint8

// The families.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// FamilyOf is the family of an address, which must be valid.
func FamilyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4
	}
	return IPv6
}

func (f Family) String() string { return "IPv" + strconv.Itoa(int(f)) }

// Any is the address that stands for all of a family.
func (f Family) Any() netip.Addr {
	if f == IPv4 {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// A Port is one port of a Service.
type Port struct {
	ID
	// Frontends are where the port is reached: sorted, no two the same. No two
	// ports of a Plan share one.
	Frontends []Frontend
	// Cluster are the endpoints of the traffic policy Cluster, Local those of
	// the policy Local; both sorted by address. Local is empty where no
	// Frontend asks for it. An endpoint is in both if it is on this node.
	Cluster, Local []Endpoint
	// Leaving are further endpoints that still serve but get nothing new, sorted.
	// Only ports of UDP have them: there flows to whoever is gone are cut, and
	// these are not gone yet.
	Leaving []netip.AddrPort
	// Affinity is for how long after its last connection a client address gets
	// the same endpoint; 0 is not at all.
	Affinity time.Duration
	Balance  Balance
}

// An Endpoint is one address that serves a Port.
type Endpoint struct {
	Address netip.AddrPort
	// Weight is its share of new connections in proportion to the others', 1
	// to MaxWeight. 1 where nobody says otherwise.
	Weight uint16
	Local  bool // it is on this node
}

// MaxWeight bounds an Endpoint's weight.
const MaxWeight = 100

// A Balance says how a new connection's endpoint is chosen.
type Balance uint8

// The ways to choose. ModeDefault is the mode's own: random in nftables and
// iptables, --ipvs-scheduler in ipvs, round robin in userspace. SourceHash and
// Maglev go by the client's address alone; Maglev keeps nearly all clients
// where they are when endpoints come and go, and gives the same answer on every
// node.
const (
	ModeDefault Balance = iota
	Random
	RoundRobin
	SourceHash
	Maglev
)

// A Kind says why a Frontend is there.
type Kind uint8

// The kinds, in the order in which a Port's Frontends are sorted.
const (
	ClusterIP Kind = iota
	NodePort
	LoadBalancerIP
	ExternalIP
)

// A Frontend is an address and port at which a Port is reached.
type Frontend struct {
	Kind Kind
	// Address is the zero Addr for a NodePort: it answers at the addresses of
	// Settings.NodePorts.
	Address netip.Addr
	Port    uint16
	// Local says that its traffic policy is Local: the internal one for a
	// ClusterIP, the external one for the others.
	Local bool
	// Sources, where not nil, are the only client addresses that get through;
	// all others are dropped, from wherever they come. Only at LoadBalancerIPs,
	// of the same family, sorted, none within another. Empty but not nil: none
	// gets through.
	Sources []netip.Prefix
}

// A HealthCheck is what a Service's health-check node port tells.
type HealthCheck struct {
	Port uint16
	// Ready is how many ready endpoints there are on this node.
	Ready int
}

// A Change is what becomes of one Port. Was is nil for a new one, Is for one
// that is gone. Where a frontend moves from one Port to another, the Change that
// gives it up may come after the one that takes it.
type Change struct {
	ID  ID
	Was *Port
	Is  *Port
}

// Refused are ports that a kernel did not take, with its reasons, while it took
// all others. A Port that is refused is as it was before, or not there.
type Refused map[ID]error

func (r Refused) Error() string {
	for id, err := range r {
		if len(r) == 1 {
			return fmt.Sprintf("%s: %v", id, err)
		}
		return fmt.Sprintf("%d ports were refused, one of them %s: %v", len(r), id, err)
	}
	return "nothing was refused"
}

// Compare sorts by Service, port, protocol and family.
func Compare(a, b ID) int {
	return cmp.Or(
		cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Family, b.Family),
	)
}
