package userspace

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A service is one port of a Service as connections meet it: its plan, whose
// turn it is, which client stays with which endpoint.
type service struct {
	id    plan.ID
	taken atomic.Uint64 // new connections so far

	mu             sync.Mutex
	settings       *plan.Settings
	port           *plan.Port
	cluster, local *turns
	pins           map[netip.Addr]pin
	sweepAt        int // how many pins there may be before the old ones are looked for
}

// A pin holds a client at an endpoint.
type pin struct {
	endpoint netip.AddrPort
	until    time.Time
}

// fewPins is how many pins are kept without a look at their age.
const fewPins = 1024

func newService(s *plan.Settings, p *plan.Port) *service {
	v := &service{id: p.ID}
	v.set(s, p)
	return v
}

// set brings a new plan in. Pins to endpoints that are gone go with them.
func (v *service) set(s *plan.Settings, p *plan.Port) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.settings, v.port = s, p
	v.cluster, v.local = newTurns(p.Cluster, p.Balance, v.cluster), newTurns(p.Local, p.Balance, v.local)
	if p.Affinity == 0 || v.pins == nil {
		v.pins, v.sweepAt = map[netip.Addr]pin{}, fewPins
		return
	}
	for c, pinned := range v.pins {
		if !has(p, pinned.endpoint) {
			delete(v.pins, c)
		}
	}
}

// has says whether an endpoint is one of a port's.
func has(p *plan.Port, e netip.AddrPort) bool {
	return find(p.Cluster, e) >= 0 || find(p.Local, e) >= 0
}

func find(sorted []plan.Endpoint, a netip.AddrPort) int {
	i, ok := slices.BinarySearchFunc(sorted, a, func(e plan.Endpoint, a netip.AddrPort) int { return e.Address.Compare(a) })
	if !ok {
		return -1
	}
	return i
}

// keeps says whether a flow to an endpoint lives on: it still serves, if for
// nothing new.
func (v *service) keeps(e netip.AddrPort) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return has(v.port, e) || slices.Contains(v.port.Leaving, e)
}

// take decides what a new connection gets, and counts it where that is an
// endpoint.
func (v *service) take(f plan.Frontend, client netip.Addr, o plan.Origin) *choice {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := &choice{service: v, client: client, origin: o, Treatment: v.settings.Treat(v.port, f, o)}
	if c.Verdict != plan.Serve {
		return c
	}
	v.taken.Add(1)
	t := v.cluster
	if c.Local {
		t = v.local
	}
	c.at = v.pinned(c.Pool, client)
	if c.at < 0 {
		c.at = t.first(client)
	}
	v.pin(client, c.Pool[c.at].Address)
	return c
}

// pinned gives the index in a pool of the endpoint that a client stays with, or
// -1.
func (v *service) pinned(pool []plan.Endpoint, client netip.Addr) int {
	p, ok := v.pins[client]
	if !ok || !time.Now().Before(p.until) {
		return -1
	}
	return find(pool, p.endpoint)
}

// pin makes a client stay, from now on for the time of the affinity.
func (v *service) pin(client netip.Addr, e netip.AddrPort) {
	if v.port.Affinity == 0 {
		return
	}
	now := time.Now()
	if len(v.pins) >= v.sweepAt {
		for c, p := range v.pins {
			if !now.Before(p.until) {
				delete(v.pins, c)
			}
		}
		// Twice as many before the next look, so that a pin costs the same
		// however many there are.
		v.sweepAt = max(fewPins, 2*len(v.pins))
	}
	v.pins[client] = pin{endpoint: e, until: now.Add(v.port.Affinity)}
}

// unpin lets a client go from an endpoint that doesn't answer.
func (v *service) unpin(client netip.Addr, e netip.AddrPort) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.pins[client].endpoint == e {
		delete(v.pins, client)
	}
}

// A choice is what one new connection got: endpoints, one after the other until
// one answers.
type choice struct {
	plan.Treatment
	service   *service
	client    netip.Addr
	origin    plan.Origin
	at, tried int
}

// next gives the endpoint to try: first whose turn it is, then those after it in
// the order of addresses, each once.
func (c *choice) next() (plan.Endpoint, bool) {
	if c.Verdict != plan.Serve || c.tried == len(c.Pool) {
		return plan.Endpoint{}, false
	}
	e := c.Pool[(c.at+c.tried)%len(c.Pool)]
	c.tried++
	return e, true
}

// settle says that an endpoint answered. Where it isn't the first, the client
// stays with it.
func (c *choice) settle(e plan.Endpoint) {
	if c.tried <= 1 {
		return
	}
	v := c.service
	v.mu.Lock()
	defer v.mu.Unlock()
	if has(v.port, e.Address) {
		v.pin(c.client, e.Address)
	}
}

// borrows says whether an endpoint is to see the client's own address. It can
// be done only where the answers come back by this node: towards endpoints that
// are here, and not for what comes from the node or from the endpoint itself,
// whose answers would never be on a wire.
func (c *choice) borrows(e plan.Endpoint) bool {
	return !c.Masquerade && e.Local && c.origin != plan.ThisNode && e.Address.Addr() != c.client
}
