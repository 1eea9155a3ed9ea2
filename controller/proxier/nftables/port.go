package nftables

import (
	"net/netip"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A pool is endpoints in slots. room is how many slots the balancer's chain
// chooses from: as many as there are, or more where the balancer is elastic.
type pool struct {
	slots []netip.AddrPort
	room  int
}

// A state is a port and what was decided for it, which its past has a part in.
type state struct {
	*plan.Port
	cluster, local pool
	shard          int
	// lost are the connections that frontends counted which it has no more.
	lost uint64
}

func balanceOf(p *plan.Port) plan.Balance {
	if p.Balance == plan.ModeDefault {
		return plan.Random
	}
	return p.Balance
}

// newState decides on a port. old is what it was before, or what a kernel is
// found to hold of it; not nil.
func newState(p *plan.Port, old *state, shard int) *state {
	return &state{
		Port:    p,
		cluster: newPool(p, p.Cluster, old.cluster),
		local:   newPool(p, p.Local, old.local),
		shard:   shard,
		lost:    old.lost,
	}
}

func newPool(p *plan.Port, endpoints []plan.Endpoint, old pool) pool {
	balance := balanceOf(p)
	if balance == plan.Maglev {
		slots := maglev(endpoints)
		return pool{slots, len(slots)}
	}
	slots := assign(old.slots, endpoints)
	if elastic(balance) {
		return pool{slots, room(old.room, len(slots))}
	}
	return pool{slots, len(slots)}
}

// An item is an element of a set, with the end of a range behind its key.
type item struct{ set, key string }

// A program makes the elements of ports by the Settings.
type program struct {
	family
	settings *plan.Settings
	// verdicts are those of entrances that were seen: there are few.
	verdicts map[entrance]string
}

// defaultMark is kube-proxy's, for Settings that have none.
const defaultMark = 1 << 14

func newProgram(f plan.Family, s *plan.Settings) *program {
	own := *s
	if own.MasqueradeMark == 0 {
		own.MasqueradeMark = defaultMark
	}
	return &program{family: familyOf(f), settings: &own, verdicts: map[entrance]string{}}
}

func (g *program) verdict(e entrance) string {
	v, ok := g.verdicts[e]
	if !ok {
		v = wire.Verdict(e.name())
		g.verdicts[e] = v
	}
	return v
}

// entrance says what each origin gets at a frontend.
func (g *program) entrance(st *state, f plan.Frontend) entrance {
	of := func(o plan.Origin) share {
		t := g.settings.Treat(st.Port, f, o)
		if t.Verdict != plan.Serve {
			return share{verdict: t.Verdict}
		}
		from := st.cluster
		if t.Local {
			from = st.local
		}
		b := balancer{
			balance: balanceOf(st.Port), slots: from.room, nodePort: f.Kind == plan.NodePort,
			local: t.Local, sticky: st.Affinity > 0,
		}
		if b.balance == plan.RoundRobin {
			b.shard = st.shard
		}
		return share{plan.Serve, t.Masquerade, b}
	}
	return entrance{of(plan.Elsewhere), of(plan.LocalPod), of(plan.ThisNode)}
}

// pools says which of a port's pools somebody gets at an entrance.
func (e entrance) pools() (cluster, local bool) {
	for _, s := range []share{e.elsewhere, e.pod, e.node} {
		if s.verdict == plan.Serve {
			cluster = cluster || !s.balancer.local
			local = local || s.balancer.local
		}
	}
	return cluster, local
}

// elements tells yield of each element of a port, with its data. An element of
// several ports has the same key and no data.
func (g *program) elements(st *state, yield func(item, string)) {
	var usesCluster, usesLocal bool
	for _, f := range st.Frontends {
		e := g.entrance(st, f)
		cluster, local := e.pools()
		usesCluster, usesLocal = usesCluster || cluster, usesLocal || local
		key := g.frontendBytes(st, f)
		g.doors(f, key, g.verdict(e), yield)
		if cluster {
			g.slots(f, key, st.cluster, false, yield)
		}
		if local {
			g.slots(f, key, st.local, true, yield)
		}
		if st.Affinity > 0 {
			g.members(st, f, key, cluster, local, yield)
		}
	}
	for _, e := range st.used(usesCluster, usesLocal) {
		a := e.Addr().AsSlice()
		yield(item{hairpin, string(append(a, a...))}, "")
	}
}

func (g *program) frontendBytes(st *state, f plan.Frontend) []byte {
	key := make([]byte, 0, 64)
	if f.Kind != plan.NodePort {
		key = appendAddress(key, f.Address)
	}
	return appendPort(appendProtocol(key, st.Protocol), f.Port)
}

// doors are the elements that a packet meets first.
func (g *program) doors(f plan.Frontend, key []byte, verdict string, yield func(item, string)) {
	k := string(key)
	if f.Kind == plan.NodePort {
		yield(item{nodePorts, k}, verdict)
		return
	}
	if f.Kind == plan.ClusterIP {
		yield(item{clusterIPs, k[:g.size]}, "")
	}
	if f.Sources == nil {
		yield(item{services, k}, verdict)
		return
	}
	yield(item{services, k}, toFirewall)
	yield(item{firewalled, k}, verdict)
	for _, p := range f.Sources {
		first, last := bounds(p)
		yield(item{allowed, k + first + k + last}, "")
	}
}

// toFirewall is the data of frontends with Sources.
var toFirewall = wire.Verdict(firewall)

// bounds are a prefix's first and last address.
func bounds(p netip.Prefix) (first, last string) {
	a := p.Masked().Addr().AsSlice()
	b := slices.Clone(a)
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return string(a), string(b)
}

func (g *program) slots(f plan.Frontend, key []byte, p pool, local bool, yield func(item, string)) {
	set := balancer{nodePort: f.Kind == plan.NodePort, local: local}.pool()
	n := len(key)
	var data [32]byte
	for i, e := range p.slots {
		yield(item{set, string(appendSlot(key[:n], i))}, wire.Value(string(appendEndpoint(data[:0], e))))
	}
}

// members are the endpoints that a client may be sent to again.
func (g *program) members(st *state, f plan.Frontend, key []byte, cluster, local bool, yield func(item, string)) {
	set := members
	if f.Kind == plan.NodePort {
		set = nodePortMembers
	}
	set += seconds(st.Affinity)
	n := len(key)
	for _, e := range st.used(cluster, local) {
		yield(item{set, string(appendEndpoint(key[:n], e))}, "")
	}
}

// used are the endpoints of some pools, each once and sorted.
func (st *state) used(cluster, local bool) []netip.AddrPort {
	all := make([]netip.AddrPort, 0, len(st.Cluster)+len(st.Local))
	for _, e := range st.Cluster {
		if cluster {
			all = append(all, e.Address)
		}
	}
	for _, e := range st.Local {
		if local {
			all = append(all, e.Address)
		}
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	return slices.Compact(all)
}

// shared says that elements of a set may be of several ports.
func shared(set string) bool { return set == hairpin || set == clusterIPs }

// element is an item as the kernel has it.
func (i item) element(data string) wire.Element {
	if i.set == allowed {
		half := len(i.key) / 2
		return wire.Element{Key: i.key[:half], End: i.key[half:]}
	}
	return wire.Element{Key: i.key, Data: data}
}

// counters are the elements that count a port's connections.
func (g *program) counters(st *state, yield func(item)) {
	for _, f := range st.Frontends {
		i := item{services, string(g.frontendBytes(st, f))}
		switch {
		case f.Kind == plan.NodePort:
			i.set = nodePorts
		case f.Sources != nil:
			i.set = firewalled
		}
		yield(i)
	}
}
