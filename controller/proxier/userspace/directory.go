package userspace

import (
	"net/netip"
	"sync"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A front is where something is reached. The address of a node port is the
// unspecified one of its family.
type front struct {
	protocol plan.Protocol
	at       netip.AddrPort
}

func frontOf(p *plan.Port, f plan.Frontend) front {
	a := f.Address
	if f.Kind == plan.NodePort {
		a = p.Family.Any()
	}
	return front{p.Protocol, netip.AddrPortFrom(a, f.Port)}
}

// A target is what a front leads to.
type target struct {
	service  *service
	frontend plan.Frontend
}

// A directory finds the service that a connection is for. Connections ask it
// while the plan changes.
type directory struct {
	mu       sync.RWMutex
	services map[plan.ID]*service
	fronts   map[front]target
}

func newDirectory() *directory {
	return &directory{services: map[plan.ID]*service{}, fronts: map[front]target{}}
}

// find gives what answers at an address and port: a Service's own, or else a
// node port.
func (d *directory) find(p plan.Protocol, at netip.AddrPort) (target, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if t, ok := d.fronts[front{p, at}]; ok {
		return t, true
	}
	any := plan.FamilyOf(at.Addr()).Any()
	t, ok := d.fronts[front{p, netip.AddrPortFrom(any, at.Port())}]
	return t, ok
}

// set brings ports in, new or changed, as one step.
func (d *directory) set(s *plan.Settings, ports ...*plan.Port) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range ports {
		v := d.services[p.ID]
		if v == nil {
			v = newService(s, p)
			d.services[p.ID] = v
		} else {
			d.forget(v)
			v.set(s, p)
		}
		for _, f := range p.Frontends {
			d.fronts[frontOf(p, f)] = target{v, f}
		}
	}
}

// drop takes a port out, and gives the service that it was, or nil.
func (d *directory) drop(id plan.ID) *service {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.services[id]
	if v != nil {
		delete(d.services, id)
		d.forget(v)
	}
	return v
}

// forget takes away the fronts that are still a service's own: in one round of
// changes another may have got them.
func (d *directory) forget(v *service) {
	for _, f := range v.port.Frontends {
		if at := frontOf(v.port, f); d.fronts[at].service == v {
			delete(d.fronts, at)
		}
	}
}

// get gives a port's service, or nil.
func (d *directory) get(id plan.ID) *service {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.services[id]
}

// ids are all ports that there are.
func (d *directory) ids() []plan.ID {
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := make([]plan.ID, 0, len(d.services))
	for id := range d.services {
		all = append(all, id)
	}
	return all
}

// taken counts the connections of each port.
func (d *directory) taken() map[plan.ID]uint64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := make(map[plan.ID]uint64, len(d.services))
	for id, v := range d.services {
		all[id] = v.taken.Load()
	}
	return all
}

// keeps says whether a UDP flow still fits: its endpoint is there, and where the
// client sends to leads to the same service.
func (d *directory) keeps(f *flow) bool {
	t, ok := d.find(plan.UDP, f.to)
	return ok && t.service == f.service && t.service.keeps(f.endpoint)
}
