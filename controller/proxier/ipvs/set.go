package ipvs

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A set is one of ours, for each family one. Their order is the order in which
// members are added, and backwards that in which they go.
type set int

const (
	setServers  set = iota // address, port: all that we answer for, and so the ledger of whose virtual servers are ours
	setVIPs                // address: those that are on our device
	setAllow               // address, port, source: who gets through to what is guarded
	setGuard               // address, port: where sources are looked at
	setDropElse            // address, port: for whom it is dropped; likewise below
	setDropPod
	setDropNode
	setReject // address, port: refused for all
	setMasqElse
	setMasqPod
	setMasqNode
	setHairpin // address, port, address: an endpoint that comes back to itself
	sets
)

var setNames = [sets]struct{ name, kind string }{
	setServers:  {"servers", "hash:ip,port"},
	setVIPs:     {"vips", "hash:ip"},
	setAllow:    {"allow", "hash:ip,port,net"},
	setGuard:    {"guard", "hash:ip,port"},
	setDropElse: {"drop-else", "hash:ip,port"},
	setDropPod:  {"drop-pod", "hash:ip,port"},
	setDropNode: {"drop-node", "hash:ip,port"},
	setReject:   {"reject", "hash:ip,port"},
	setMasqElse: {"masq-else", "hash:ip,port"},
	setMasqPod:  {"masq-pod", "hash:ip,port"},
	setMasqNode: {"masq-node", "hash:ip,port"},
	setHairpin:  {"hairpin", "hash:ip,port,ip"},
}

// name is the set's for ipset, at most 31 characters.
func (s set) name(f plan.Family) string {
	if f == plan.IPv6 {
		return "sallyport-" + setNames[s].name + "6"
	}
	return "sallyport-" + setNames[s].name
}

// maxMembers bounds each set; memory is taken as members come.
const maxMembers = 1 << 20

// create is the line of ipset restore that makes the set.
func (s set) create(f plan.Family) string {
	family := "inet"
	if f == plan.IPv6 {
		family = "inet6"
	}
	return fmt.Sprintf("create %s %s family %s maxelem %d", s.name(f), setNames[s].kind, family, maxMembers)
}

// A member is one element of one set, as ipset prints it.
type member struct {
	set     set
	family  plan.Family
	element string
}

func (m member) String() string { return m.set.name(m.family) + " " + m.element }

func compareMembers(a, b member) int {
	if a.set != b.set {
		return int(a.set - b.set)
	}
	return strings.Compare(a.String(), b.String())
}

// ofServer is the member of a set of addresses and ports.
func (s set) ofServer(v server) member {
	return member{s, plan.FamilyOf(v.Address), fmt.Sprintf("%s,%s:%d", v.Address, v.Protocol, v.Port)}
}

func ofVIP(a netip.Addr) member { return member{setVIPs, plan.FamilyOf(a), a.String()} }

// ofSource lets a prefix through to a server. The kernel takes no prefix of
// length 0 in a set, so that is two.
func ofSource(v server, from netip.Prefix) []member {
	m := setAllow.ofServer(v)
	if from.Bits() == 0 {
		half := netip.PrefixFrom(from.Addr(), 1).Masked()
		second := half.Addr().AsSlice()
		second[0] |= 0x80
		upper, _ := netip.AddrFromSlice(second)
		return append(ofSource(v, half), ofSource(v, netip.PrefixFrom(upper, 1))...)
	}
	net := from.Masked().String()
	if from.IsSingleIP() {
		net = from.Addr().String() // as ipset prints it
	}
	m.element += "," + net
	return []member{m}
}

func ofHairpin(at netip.AddrPort, p plan.Protocol) member {
	return member{setHairpin, plan.FamilyOf(at.Addr()), fmt.Sprintf("%s,%s:%d,%s", at.Addr(), p, at.Port(), at.Addr())}
}
