package plan

import "net/netip"

// Settings are what holds for all Ports alike. They change with the Node, and
// seldom.
type Settings struct {
	// MasqueradeAll hides the source of all that goes to a ClusterIP.
	MasqueradeAll bool
	// MasqueradeMark is the bit of the packet mark by which rules of modes that
	// use one tell what is to be masqueraded.
	MasqueradeMark uint32
	Detect         Detect
	NodePorts      NodePorts
	// NodeAddresses are the Node's own, as its status lists them.
	NodeAddresses []netip.Addr
}

// Detect says how traffic of pods on this node is told from all other.
type Detect struct {
	Mode DetectMode
	// CIDRs are the pods' addresses, for DetectCIDRs.
	CIDRs []netip.Prefix
	// Interface is the bridge's name, or the prefix of interface names.
	Interface string
}

// A DetectMode is a way to know a local pod's traffic.
type DetectMode uint8

// The ways. With DetectNothing no traffic is known as a local pod's, and
// nothing to a ClusterIP is masqueraded for that.
const (
	DetectNothing         DetectMode = iota
	DetectCIDRs                      // the source is in Detect.CIDRs
	DetectBridge                     // it came in by the interface Detect.Interface
	DetectInterfacePrefix            // it came in by an interface whose name begins with Detect.Interface
)

// Works says whether local pods can be told in a family. CIDRs of the other
// family alone tell nothing.
func (d Detect) Works(f Family) bool {
	if d.Mode == DetectCIDRs {
		return len(d.Of(f)) > 0
	}
	return d.Mode != DetectNothing
}

// Of gives the CIDRs of a family.
func (d Detect) Of(f Family) []netip.Prefix { return of(d.CIDRs, f) }

// NodePorts are the addresses at which node ports answer.
type NodePorts struct {
	// All is every address that the node has at the moment a packet comes,
	// loopback included. Prefixes is empty then.
	All      bool
	Prefixes []netip.Prefix
}

// Of gives the prefixes of a family.
func (n NodePorts) Of(f Family) []netip.Prefix { return of(n.Prefixes, f) }

// Loopback says whether node ports answer at 127.0.0.1, or ::1. That is never
// done by the kernel's rules, in no mode: userspace.Loopback listens there.
func (n NodePorts) Loopback(f Family) bool {
	at := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if f == IPv6 {
		at = netip.IPv6Loopback()
	}
	return n.All || contain(n.Prefixes, at)
}

func of(all []netip.Prefix, f Family) []netip.Prefix {
	var some []netip.Prefix
	for _, p := range all {
		if FamilyOf(p.Addr()) == f {
			some = append(some, p)
		}
	}
	return some
}

func contain(all []netip.Prefix, a netip.Addr) bool {
	for _, p := range all {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
