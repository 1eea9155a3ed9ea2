package planner

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// work is room that is used over and over. Nothing in it outlives the planning
// of one Service.
type work struct {
	request   request
	report    report
	stakes    []stake
	slices    []*discoveryv1.EndpointSlice
	found     []candidate
	matches   []match
	pool      []candidate
	frontends []plan.Frontend
	drafts    []draft
	ids       []plan.ID
	cluster   []plan.Endpoint
	local     []plan.Endpoint
	leaving   []netip.AddrPort
}

// A draft is a port that has won its frontends and gets its endpoints yet.
type draft struct {
	id       plan.ID
	port     int // in request.ports
	from, to int // its frontends in work.frontends
}

// replan plans one Service anew, which is nil where it is gone. Its claims are
// settled. fresh says that its slices changed.
func (p *Planner) replan(u *Update, who *service, s *corev1.Service, all map[string]*discoveryv1.EndpointSlice, fresh bool) {
	w := &p.work
	w.ids = w.ids[:0]
	w.report.reset()
	if s == nil || !p.ask(s).ours {
		p.retire(u, who)
		p.setHealth(u, who, plan.HealthCheck{})
		p.tell(who, w.report.all)
		who.seen = nil
		return
	}
	q := &w.request
	var health plan.HealthCheck
	p.draft(who, q)
	healthy := p.winsHealth(who, q)
	sorted := w.sortSlices(all)
	p.gather(q, sorted)
	w.report.end()
	for _, d := range w.drafts {
		p.finish(u, q, d)
	}
	if healthy {
		health = plan.HealthCheck{Port: q.health, Ready: p.readyHere()}
	}
	p.retire(u, who)
	p.setHealth(u, who, health)
	p.trigger(u, who, sorted, fresh)
	p.tell(who, w.report.all)
	clear(w.slices)
}

// draft takes the frontends that a service has won, and tells of those that it
// hasn't.
func (p *Planner) draft(who *service, q *request) {
	w := &p.work
	w.frontends, w.drafts = w.frontends[:0], w.drafts[:0]
	for i, port := range q.ports {
		for _, f := range q.families {
			from := len(w.frontends)
			for at := range q.places(port, f) {
				if reason := p.lost(who, port, f, at); reason != "" {
					w.report.add(reason, q.field(at.Kind), at.index)
					continue
				}
				w.frontends = append(w.frontends, at.Frontend)
			}
			if from == len(w.frontends) {
				continue
			}
			id := plan.ID{Service: who.name, Port: port.name, Protocol: port.protocol, Family: f}
			w.drafts = append(w.drafts, draft{id: id, port: i, from: from, to: len(w.frontends)})
		}
	}
}

// lost says why a service doesn't get a frontend; "": it does.
func (p *Planner) lost(who *service, port portRequest, f plan.Family, at place) string {
	if at.Kind == plan.LoadBalancerIP || at.Kind == plan.ExternalIP {
		// A ClusterIP of its own it would have as that alone.
		if by := p.claims.owner(at.Address); by != nil {
			return fmt.Sprintf("%s is the ClusterIP of Service %s", at.Address, by.name)
		}
	}
	is, k := claim{who, int32(port.index), rankOf(at.Kind)}, frontendKey(at.Frontend, f, port.protocol)
	if p.claims.wins(k, is) {
		return ""
	}
	what := fmt.Sprintf("node port %d/%s", at.Port, port.protocol)
	if at.Kind != plan.NodePort {
		what = fmt.Sprintf("%s/%s", netip.AddrPortFrom(at.Address, at.Port), port.protocol)
	}
	return p.claims.taken(k, is, what)
}

// winsHealth says whether a service gets the health-check node port that it
// asks for, if any.
func (p *Planner) winsHealth(who *service, q *request) bool {
	if q.health == 0 {
		return false
	}
	is := claim{who, healthPart, given}
	for _, k := range healthKeys(q.health) {
		if !p.claims.wins(k, is) {
			p.work.report.add(p.claims.taken(k, is, fmt.Sprintf("node port %d/tcp", q.health)), "spec.healthCheckNodePort")
			return false
		}
	}
	return true
}

// finish gives a port its endpoints and puts it into the plan. A port that is
// as it was stays the very same.
func (p *Planner) finish(u *Update, q *request, d draft) {
	w := &p.work
	is := plan.Port{ID: d.id, Frontends: w.frontends[d.from:d.to], Affinity: q.affinity, Balance: q.balance}
	all := p.pool(d.port, d.id.Family)
	w.cluster = clusterPool(w.cluster[:0], all)
	is.Cluster = w.cluster
	if slices.ContainsFunc(is.Frontends, func(f plan.Frontend) bool { return f.Local }) {
		w.local = localPool(w.local[:0], all)
		is.Local = w.local
	}
	if d.id.Protocol == plan.UDP {
		w.leaving = leavingOf(w.leaving[:0], all, &is)
		is.Leaving = w.leaving
	}
	w.ids = append(w.ids, d.id)
	was := p.plan.Ports[d.id]
	if was != nil && samePort(was, &is) {
		return
	}
	is.Frontends, is.Cluster, is.Local = kept(is.Frontends), kept(is.Cluster), kept(is.Local)
	is.Leaving = kept(is.Leaving)
	p.plan.Ports[d.id] = &is
	u.Changes = append(u.Changes, plan.Change{ID: d.id, Was: was, Is: &is})
}

// kept is a copy that outlives p.work; nil where it is empty.
func kept[T any](all []T) []T {
	if len(all) == 0 {
		return nil
	}
	return append(make([]T, 0, len(all)), all...)
}

// samePort is reflect.DeepEqual, less that no endpoints are no endpoints. It
// runs for each port of the cluster when the node changes.
func samePort(a, b *plan.Port) bool {
	return a.ID == b.ID && a.Affinity == b.Affinity && a.Balance == b.Balance &&
		slices.Equal(a.Cluster, b.Cluster) && slices.Equal(a.Local, b.Local) && slices.Equal(a.Leaving, b.Leaving) &&
		slices.EqualFunc(a.Frontends, b.Frontends, sameFrontend)
}

// sameFrontend minds that no Sources at all and none that may are opposites.
func sameFrontend(a, b plan.Frontend) bool {
	return a.Kind == b.Kind && a.Address == b.Address && a.Port == b.Port && a.Local == b.Local &&
		(a.Sources == nil) == (b.Sources == nil) && slices.Equal(a.Sources, b.Sources)
}

// retire takes out of the plan what a service had there and has no more.
func (p *Planner) retire(u *Update, who *service) {
	is := p.work.ids
	slices.SortFunc(is, compareIDs)
	for _, id := range who.ids {
		if _, stays := slices.BinarySearchFunc(is, id, compareIDs); !stays {
			u.Changes = append(u.Changes, plan.Change{ID: id, Was: p.plan.Ports[id]})
			delete(p.plan.Ports, id)
		}
	}
	if !slices.Equal(who.ids, is) {
		who.ids = kept(is)
	}
}

func compareIDs(a, b plan.ID) int {
	return cmp.Or(
		cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port),
		cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Family, b.Family))
}

// setHealth puts a health check into the plan, or takes it out where it has no
// port.
func (p *Planner) setHealth(u *Update, who *service, is plan.HealthCheck) {
	if p.plan.HealthChecks[who.name] == is {
		return
	}
	u.HealthChecks = true
	if is.Port == 0 {
		delete(p.plan.HealthChecks, who.name)
		return
	}
	p.plan.HealthChecks[who.name] = is
}
