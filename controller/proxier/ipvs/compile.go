package ipvs

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A server names a virtual server.
type server struct {
	Address  netip.Addr
	Port     uint16
	Protocol plan.Protocol
}

func compareServers(a, b server) int {
	return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol))
}

// A virtual is what a virtual server is to be. One without real servers is not
// made, but one that is there stays as long as it has connections.
type virtual struct {
	schedule schedule
	reals    map[netip.AddrPort]uint16 // and their weights
}

// A piece is all that the kernel has to hold for one port.
type piece struct {
	servers map[server]virtual
	members []member
}

// A view is what of the node decides how a port becomes a piece.
type view struct {
	settings  *plan.Settings
	scheduler string
	// addresses are the node's own, without loopback and our device's.
	addresses []netip.Addr
}

// compile makes the piece of a port: pure, and the same for the same input.
func (v *view) compile(p *plan.Port) *piece {
	made := &piece{servers: map[server]virtual{}}
	for _, f := range p.Frontends {
		for _, a := range v.at(p.Family, f) {
			v.add(made, p, f, server{a, f.Port, p.Protocol})
		}
	}
	slices.SortFunc(made.members, compareMembers)
	made.members = slices.Compact(made.members)
	return made
}

// at are the addresses of a frontend.
func (v *view) at(family plan.Family, f plan.Frontend) []netip.Addr {
	if f.Kind != plan.NodePort {
		return []netip.Addr{f.Address}
	}
	prefixes := v.settings.NodePorts.Of(family)
	var all []netip.Addr
	for _, a := range v.addresses {
		in := func(p netip.Prefix) bool { return p.Contains(a) }
		if plan.FamilyOf(a) == family && (v.settings.NodePorts.All || slices.ContainsFunc(prefixes, in)) {
			all = append(all, a)
		}
	}
	return all
}

func (v *view) add(made *piece, p *plan.Port, f plan.Frontend, s server) {
	made.members = append(made.members, setServers.ofServer(s))
	if !slices.Contains(v.addresses, s.Address) {
		made.members = append(made.members, ofVIP(s.Address))
	}
	pool, members := v.treat(p, f, s)
	made.members = append(made.members, members...)
	reals := map[netip.AddrPort]uint16{}
	for _, e := range pool {
		reals[e.Address] = e.Weight
		made.members = append(made.members, ofHairpin(e.Address, p.Protocol))
	}
	made.servers[s] = virtual{scheduleOf(p, pool, v.scheduler), reals}
	if f.Sources != nil {
		made.members = append(made.members, v.guard(f, s)...)
	}
}

// treat asks for each origin. All get the first pool that serves somebody:
// a virtual server has one set of real servers, whoever asks. That is what
// outsiders get, and where they get nothing, what the node and its pods get.
func (v *view) treat(p *plan.Port, f plan.Frontend, s server) (pool []plan.Endpoint, members []member) {
	for _, o := range []struct {
		origin     plan.Origin
		drop, masq set
	}{
		{plan.Elsewhere, setDropElse, setMasqElse},
		{plan.LocalPod, setDropPod, setMasqPod},
		{plan.ThisNode, setDropNode, setMasqNode},
	} {
		if o.origin == plan.LocalPod && !v.settings.Detect.Works(p.Family) {
			continue
		}
		t := v.settings.Treat(p, f, o.origin)
		switch {
		case t.Verdict == plan.Drop:
			members = append(members, o.drop.ofServer(s))
		case t.Verdict == plan.Reject:
			members = append(members, setReject.ofServer(s))
		case t.Masquerade:
			members = append(members, o.masq.ofServer(s))
		}
		if len(pool) == 0 && t.Verdict == plan.Serve {
			pool = t.Pool
		}
	}
	return pool, members
}

// guard lets a frontend's sources through. What the node itself sends to an
// address of our device has that address as its source too, so that one is let
// through where one of the node's is.
func (v *view) guard(f plan.Frontend, s server) []member {
	members := []member{setGuard.ofServer(s)}
	node := false
	for _, from := range f.Sources {
		members = append(members, ofSource(s, from)...)
		node = node || slices.ContainsFunc(v.settings.NodeAddresses, from.Contains)
	}
	if node {
		members = append(members, ofSource(s, netip.PrefixFrom(s.Address, s.Address.BitLen()))...)
	}
	return members
}
