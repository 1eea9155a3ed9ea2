package planner

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// annotationWeight is the share of new connections of a slice's endpoints.
const annotationWeight = "sallyport.io/weight"

// A trait is a yes or no of an endpoint. All but leaving are such that two
// slices that say different things of one endpoint mean the sum of both.
type trait uint8

const (
	ready     trait = 1 << iota
	leaving         // about to end, whether it serves or not
	ending          // still serves though it is about to end
	local           // on this node
	nodesSaid       // it has hints for nodes
	ourNode         // one of them is this node
	zonesSaid       // it has hints for zones
	ourZone         // one of them is this node's zone
)

// A candidate is an endpoint that may become one of the plan's.
type candidate struct {
	address netip.AddrPort
	weight  uint16
	traits  trait
}

// A match is a run of p.work.found that serves one port of a Service.
type match struct {
	port     int // in request.ports
	family   plan.Family
	number   uint16
	from, to int
}

// gather reads a Service's slices, sorted by name, into p.work: what they hold,
// and which ports that serves.
func (p *Planner) gather(q *request, all []*discoveryv1.EndpointSlice) {
	w := &p.work
	w.found, w.matches = w.found[:0], w.matches[:0]
	for _, s := range all {
		w.report.on(model.Object{Kind: "EndpointSlice", Namespace: s.Namespace, Name: s.Name})
		var f plan.Family
		switch s.AddressType {
		case discoveryv1.AddressTypeIPv4:
			f = plan.IPv4
		case discoveryv1.AddressTypeIPv6:
			f = plan.IPv6
		case discoveryv1.AddressTypeFQDN:
			continue
		default:
			w.report.add(fmt.Sprintf("%.64q is no type of address", s.AddressType), "addressType")
			continue
		}
		if !slices.Contains(q.families, f) {
			continue
		}
		first := len(w.matches)
		p.matchPorts(q, s, f)
		if len(w.matches) == first {
			continue
		}
		from := len(w.found)
		p.findEndpoints(s, f)
		for i := range w.matches[first:] {
			w.matches[first+i].from, w.matches[first+i].to = from, len(w.found)
		}
	}
	slices.SortStableFunc(w.matches, compareMatches)
}

func compareMatches(a, b match) int {
	return cmp.Or(cmp.Compare(a.port, b.port), cmp.Compare(a.family, b.family))
}

// matchPorts finds which ports of a Service a slice serves, and at which numbers.
func (p *Planner) matchPorts(q *request, s *discoveryv1.EndpointSlice, f plan.Family) {
	r := &p.work.report
	for i, sp := range s.Ports {
		if sp.Port == nil {
			continue
		}
		var name portName
		known := true
		if sp.Name != nil {
			name.name = *sp.Name
		}
		name.protocol = plan.TCP
		if sp.Protocol != nil {
			name.protocol, known = protocolOf(*sp.Protocol)
		}
		number, fits := portOf(*sp.Port)
		switch {
		case !known:
			r.add(fmt.Sprintf("%.64q is no protocol of Services", *sp.Protocol), "ports[%d].protocol", i)
			continue
		case !fits:
			r.add(fmt.Sprintf("%d is no port number", *sp.Port), "ports[%d].port", i)
			continue
		}
		if port, ok := q.byName[name]; ok {
			p.work.matches = append(p.work.matches, match{port: port, family: f, number: number})
		}
	}
}

// findEndpoints appends a slice's endpoints to p.work.found. An endpoint's
// addresses all lead to the same place, so its first good one stands for it.
func (p *Planner) findEndpoints(s *discoveryv1.EndpointSlice, f plan.Family) {
	r := &p.work.report
	weight := weightOf(s, r)
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		if len(e.Addresses) == 0 {
			r.add("is empty", "endpoints[%d].addresses", i)
		}
		for j, text := range e.Addresses {
			a, reason := parseRoutable(text)
			if reason == "" && plan.FamilyOf(a) != f {
				reason = fmt.Sprintf("%s is not of the slice's address type %s", text, s.AddressType)
			}
			if reason != "" {
				r.add(reason, "endpoints[%d].addresses[%d]", i, j)
				continue
			}
			p.work.found = append(p.work.found, candidate{netip.AddrPortFrom(a, 0), weight, p.traitsOf(e)})
			break
		}
	}
}

// weightOf is the weight of a slice's endpoints.
func weightOf(s *discoveryv1.EndpointSlice, r *report) uint16 {
	text, said := s.Annotations[annotationWeight]
	if !said {
		return 1
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n < 1 || n > plan.MaxWeight {
		r.add(fmt.Sprintf("%.64q is no number from 1 to %d: 1 is taken for it", text, plan.MaxWeight), annotationWeight)
		return 1
	}
	return uint16(n)
}

func (p *Planner) traitsOf(e *discoveryv1.Endpoint) trait {
	said := func(b *bool, unsaid bool) bool {
		if b == nil {
			return unsaid
		}
		return *b
	}
	ends := said(e.Conditions.Terminating, false)
	t := when(said(e.Conditions.Ready, true), ready) | when(ends, leaving) | when(said(e.Conditions.Serving, true) && ends, ending) |
		when(e.NodeName != nil && *e.NodeName != "" && *e.NodeName == p.options.NodeName, local)
	if e.Hints == nil {
		return t
	}
	return t | when(len(e.Hints.ForNodes) > 0, nodesSaid) | when(len(e.Hints.ForZones) > 0, zonesSaid) |
		when(slices.Contains(e.Hints.ForNodes, discoveryv1.ForNode{Name: p.options.NodeName}), ourNode) |
		when(p.node.zone != "" && slices.Contains(e.Hints.ForZones, discoveryv1.ForZone{Name: p.node.zone}), ourZone)
}

func when(yes bool, t trait) trait {
	if yes {
		return t
	}
	return 0
}

// pool is what serves a port in a family: sorted, each address once. The next
// call overwrites it.
func (p *Planner) pool(port int, f plan.Family) []candidate {
	w := &p.work
	all := w.pool[:0]
	at, _ := slices.BinarySearchFunc(w.matches, match{port: port, family: f}, compareMatches)
	for ; at < len(w.matches) && compareMatches(w.matches[at], match{port: port, family: f}) == 0; at++ {
		m := w.matches[at]
		for _, c := range w.found[m.from:m.to] {
			c.address = netip.AddrPortFrom(c.address.Addr(), m.number)
			all = append(all, c)
		}
	}
	w.pool = all
	return merge(all)
}

// merge sorts candidates in place and makes one of those with one address. One
// that is leaving counts for nothing beside one that is not: its address has
// been given to the other already, whose state is the one that matters.
func merge(all []candidate) []candidate {
	slices.SortFunc(all, func(a, b candidate) int { return a.address.Compare(b.address) })
	kept := all[:0]
	for _, c := range all {
		n := len(kept)
		if n == 0 || kept[n-1].address != c.address {
			kept = append(kept, c)
			continue
		}
		switch same := &kept[n-1]; {
		case same.traits&leaving == c.traits&leaving:
			same.traits |= c.traits
			same.weight = max(same.weight, c.weight)
		case same.traits&leaving != 0:
			*same = c
		}
	}
	return kept
}

// clusterPool appends the endpoints of the policy Cluster: those ready that the
// hints mean for this node, and else whoever still serves.
func clusterPool(to []plan.Endpoint, all []candidate) []plan.Endpoint {
	wanted := ready | topology(all)
	if to = choose(to, all, wanted); len(to) > 0 {
		return to
	}
	return choose(to, all, ending)
}

// localPool appends the endpoints of the policy Local, for which there are no
// hints.
func localPool(to []plan.Endpoint, all []candidate) []plan.Endpoint {
	if to = choose(to, all, ready|local); len(to) > 0 {
		return to
	}
	return choose(to, all, ending|local)
}

// leavingOf appends who serves and is in neither pool.
func leavingOf(to []netip.AddrPort, all []candidate, p *plan.Port) []netip.AddrPort {
	in := func(pool []plan.Endpoint, a netip.AddrPort) bool {
		_, found := slices.BinarySearchFunc(pool, a, func(e plan.Endpoint, a netip.AddrPort) int { return e.Address.Compare(a) })
		return found
	}
	for _, c := range all {
		if c.traits&(ready|ending) != 0 && !in(p.Cluster, c.address) && !in(p.Local, c.address) {
			to = append(to, c.address)
		}
	}
	return to
}

// choose appends the candidates that have all of some traits.
func choose(to []plan.Endpoint, all []candidate, has trait) []plan.Endpoint {
	for _, c := range all {
		if c.traits&has == has {
			to = append(to, plan.Endpoint{Address: c.address, Weight: c.weight, Local: c.traits&local != 0})
		}
	}
	return to
}

// topology is the trait by which hints choose endpoints: this node's, else this
// zone's. Hints count only where every ready endpoint has them and they leave
// some: else they are of a time before, or after, what is known now.
func topology(all []candidate) trait {
	every, some := nodesSaid|zonesSaid, trait(0)
	for _, c := range all {
		if c.traits&ready != 0 {
			every &= c.traits
			some |= c.traits
		}
	}
	switch {
	case every&nodesSaid != 0 && some&ourNode != 0:
		return ourNode
	case every&zonesSaid != 0 && some&ourZone != 0:
		return ourZone
	}
	return 0
}

// readyHere counts the ready endpoints on this node, over all ports of a
// Service. One that is leaving is not ready, unless the Service has it published
// whatever its state. An endpoint of two families counts once: each family is
// counted, and the larger one taken.
func (p *Planner) readyHere() int {
	w := &p.work
	most := 0
	for _, f := range families {
		all := w.pool[:0]
		last := -1
		for _, m := range w.matches {
			if m.family == f && m.from > last {
				all = append(all, w.found[m.from:m.to]...)
				last = m.from
			}
		}
		w.pool = all
		n := 0
		for _, c := range merge(all) {
			if c.traits&(ready|local) == ready|local {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// sortSlices lists slices in the order of their names.
func (w *work) sortSlices(all map[string]*discoveryv1.EndpointSlice) []*discoveryv1.EndpointSlice {
	w.slices = w.slices[:0]
	for _, s := range all {
		w.slices = append(w.slices, s)
	}
	slices.SortFunc(w.slices, func(a, b *discoveryv1.EndpointSlice) int { return cmp.Compare(a.Name, b.Name) })
	return w.slices
}
