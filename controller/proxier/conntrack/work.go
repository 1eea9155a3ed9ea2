package conntrack

import (
	"maps"
	"net/netip"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// work is what is to be done: the ports to look at, and the frontends that are
// gone.
type work struct {
	plan *plan.Plan // the newest; nil where there was none yet
	all  bool       // look at all of the plan's ports
	// ports are those to look at where not all are.
	ports map[plan.ID]struct{}
	// gone are frontends that no port of the plan has kept. A flow to one is
	// stale if it was sent to an endpoint; which one no longer matters.
	gone map[frontend]struct{}
}

// A frontend is where a flow of a client goes at first. Its address is the
// unspecified one for a node port.
type frontend = netip.AddrPort

func (w *work) empty() bool { return !w.all && len(w.ports) == 0 && len(w.gone) == 0 }

// add notes a change. A port that got nothing but more endpoints leaves no flow
// stale. Frontends that are gone are noted even where nothing was behind them
// any more: that may be so for less time than it takes to clean up after it.
func (w *work) add(change plan.Change) {
	if change.ID.Protocol != plan.UDP {
		return
	}
	had, has := pool(change.Was), pool(change.Is)
	before, after := frontends(change.Was), frontends(change.Is)
	w.lose(before, after)
	if change.Is != nil && (len(had) == 0 || !contains(has, had) || !contains(before, after)) {
		if w.ports == nil {
			w.ports = map[plan.ID]struct{}{}
		}
		w.ports[change.ID] = struct{}{}
	}
}

// lose notes the frontends that were and are not.
func (w *work) lose(before, after map[frontend]struct{}) {
	for f := range before {
		if _, kept := after[f]; kept {
			continue
		}
		if w.gone == nil {
			w.gone = map[frontend]struct{}{}
		}
		w.gone[f] = struct{}{}
	}
}

// replace notes a plan of which it isn't known how it differs from the one
// before.
func (w *work) replace(p *plan.Plan) {
	if w.plan != nil {
		for id, was := range w.plan.Ports {
			if id.Protocol == plan.UDP {
				w.lose(frontends(was), frontends(p.Ports[id]))
			}
		}
	}
	w.plan, w.all = p, true
}

// merge takes back work that was not done. The plan stays the newer one.
func (w *work) merge(undone work) {
	w.all = w.all || undone.all
	w.ports = union(w.ports, undone.ports)
	w.gone = union(w.gone, undone.gone)
}

func union[K comparable](a, b map[K]struct{}) map[K]struct{} {
	if a == nil {
		return b
	}
	maps.Copy(a, b)
	return a
}

// frontends are a port's; of none where it is nil.
func frontends(p *plan.Port) map[frontend]struct{} {
	if p == nil {
		return nil
	}
	all := make(map[frontend]struct{}, len(p.Frontends))
	for _, f := range p.Frontends {
		address := f.Address
		if f.Kind == plan.NodePort {
			address = p.Family.Any()
		}
		all[netip.AddrPortFrom(address, f.Port)] = struct{}{}
	}
	return all
}

// endpoints are the addresses that may answer for a port, whatever the policy:
// a policy that changes is no reason to cut a flow that is served.
type endpoints map[netip.AddrPort]struct{}

func pool(p *plan.Port) endpoints {
	if p == nil {
		return nil
	}
	all := make(endpoints, len(p.Cluster))
	for _, some := range [][]plan.Endpoint{p.Cluster, p.Local} {
		for _, e := range some {
			all[e.Address] = struct{}{}
		}
	}
	for _, a := range p.Leaving {
		all[a] = struct{}{}
	}
	return all
}

// contains says whether all of some are in all.
func contains(all, some map[netip.AddrPort]struct{}) bool {
	for a := range some {
		if _, in := all[a]; !in {
			return false
		}
	}
	return true
}

// An index answers for one family whether a flow is stale.
type index struct {
	current map[frontend]endpoints
	gone    map[frontend]struct{}
	at      plan.NodePorts
	local   []netip.Prefix // what the node takes for itself, for node ports
}

// index gathers what the work is about in a family. It costs what is to be
// looked at.
func (w *work) index(f plan.Family) *index {
	x := &index{current: map[frontend]endpoints{}, gone: map[frontend]struct{}{}}
	for g := range w.gone {
		if plan.FamilyOf(g.Addr()) == f {
			x.gone[g] = struct{}{}
		}
	}
	if w.plan == nil {
		return x
	}
	x.at = w.plan.Settings.NodePorts
	if w.all {
		for _, p := range w.plan.Ports {
			x.add(p, f)
		}
		return x
	}
	for id := range w.ports {
		if p := w.plan.Ports[id]; p != nil { // it may have gone since
			x.add(p, f)
		}
	}
	return x
}

func (x *index) add(p *plan.Port, f plan.Family) {
	if p.Protocol != plan.UDP || p.Family != f {
		return
	}
	serving := pool(p)
	for at := range frontends(p) {
		x.current[at] = serving
	}
}

func (x *index) empty() bool { return len(x.current) == 0 && len(x.gone) == 0 }

// stale says whether a flow to a destination, which is answered by a source, is
// to be deleted. A frontend that moved from one port to another is the other's.
func (x *index) stale(destination, source netip.AddrPort) bool {
	at := destination
	for range 2 {
		if serving, known := x.current[at]; known {
			_, served := serving[source]
			return !served
		}
		if _, was := x.gone[at]; was {
			return source != destination
		}
		if !x.reaches(destination.Addr()) {
			return false
		}
		at = netip.AddrPortFrom(plan.FamilyOf(destination.Addr()).Any(), destination.Port())
	}
	return false
}

// reaches says whether node ports answer at an address by the kernel's rules:
// never at a loopback address.
func (x *index) reaches(a netip.Addr) bool {
	return !a.IsLoopback() && in(x.local, a) && (x.at.All || in(x.at.Prefixes, a))
}

func in(all []netip.Prefix, a netip.Addr) bool {
	for _, p := range all {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
