// Package planner turns Services, their EndpointSlices and the Node into a
// plan.Plan, and each change of theirs into what it changes in the plan.
//
// It decides what is planned, not how a kernel is told. It has no clock, log
// or IO, it changes no object, and it keeps none: what is wrong with one is a
// problem, and everything else stays planned. A change costs what changed, and
// the plan is the same as one made from nothing.
package planner

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// A Planner keeps a plan in step with a snapshot. One goroutine owns it.
type Planner struct {
	options  Options
	begun    bool
	node     node
	plan     *plan.Plan
	services map[store.Key]*service
	claims   claims

	// problems is what Problems gives, and stale says that it no longer is.
	problems []model.Problem
	troubled map[*service]bool
	stale    bool

	work work
}

// An Update is what a change of objects brought.
type Update struct {
	// Changes are sorted by ID. A frontend that goes from one port to another
	// is in both of their changes, which come in any order.
	Changes []plan.Change
	// Settings says that plan.Settings changed, so that a Sync is due.
	Settings bool
	// HealthChecks says that plan.HealthChecks changed.
	HealthChecks bool
	// Triggers are the times, sorted, at which something happened in the
	// cluster that made EndpointSlices change in this Update: what their
	// annotation endpoints.kubernetes.io/last-change-trigger-time says where it
	// is newer than before. The first Update has none, because nobody knows how
	// long ago its slices were written.
	Triggers []time.Time
}

// A service is what a Planner keeps of a Service between two Updates.
type service struct {
	name    plan.Service
	created int64 // Unix seconds
	uid     types.UID
	stakes  []stake
	ids     []plan.ID // of its ports in the plan, sorted
	seen    []trigger // sorted by slice
	trouble []model.Problem
}

// New makes a Planner whose plan is empty. The options have been checked.
func New(o Options) *Planner {
	return &Planner{
		options:  o,
		plan:     &plan.Plan{Ports: map[plan.ID]*plan.Port{}, HealthChecks: map[plan.Service]plan.HealthCheck{}},
		services: map[store.Key]*service{},
		claims:   newClaims(0),
		troubled: map[*service]bool{},
	}
}

// Plan is the plan as of the last Update. The next Update changes its maps, but
// never a Port in them: a new one takes the place of the old.
func (p *Planner) Plan() *plan.Plan { return p.plan }

// Eligible says whether load balancers may send traffic to this node: not where
// it is being deleted, nor where the cluster's autoscaler is about to.
func (p *Planner) Eligible() bool { return p.node.eligible || !p.begun }

// Update plans anew what changed, or everything: the first time, and where all
// says so.
func (p *Planner) Update(s *store.Snapshot, c store.Changes, all bool) Update {
	var u Update
	all = all || !p.begun
	if all || c.Nodes {
		moved, settings := p.readNode(s.Nodes[p.options.NodeName])
		all, u.Settings = all || moved, settings
	}
	var todo []*service
	var gone []store.Key
	if all {
		todo, gone = p.everything(s)
	} else {
		todo, gone = p.some(s, c)
	}
	for _, who := range todo {
		key := store.Key{Namespace: who.name.Namespace, Name: who.name.Name}
		p.replan(&u, who, s.Services[key], s.Slices[key], p.begun && c.Endpoints[key])
	}
	for _, key := range gone {
		delete(p.services, key)
	}
	slices.SortFunc(u.Changes, func(a, b plan.Change) int { return compareIDs(a.ID, b.ID) })
	slices.SortFunc(u.Triggers, time.Time.Compare)
	p.begun = true
	return u
}

// readNode takes in what the Node says. moved: so much of it changed that every
// Service has to be planned anew.
func (p *Planner) readNode(n *corev1.Node) (moved, settings bool) {
	is := p.options.read(n)
	moved = is.zone != p.node.zone || !slices.Equal(is.settings.NodeAddresses, p.node.settings.NodeAddresses)
	settings = !p.begun || !sameSettings(is.settings, p.node.settings)
	p.stale = p.stale || !slices.Equal(is.trouble, p.node.trouble)
	p.node, p.plan.Settings = is, is.settings
	return moved, settings
}

// everything looks at all Services there are and were, and settles all claims
// from nothing.
func (p *Planner) everything(s *store.Snapshot) (todo []*service, gone []store.Key) {
	if !p.begun {
		p.services = make(map[store.Key]*service, len(s.Services))
		p.plan.Ports = make(map[plan.ID]*plan.Port, len(s.Services))
	}
	todo = make([]*service, 0, len(s.Services))
	var room int
	look := func(key store.Key) {
		who, _, _ := p.look(s, key)
		if who == nil {
			return
		}
		todo = append(todo, who)
		room += len(who.stakes)
	}
	for key := range p.services {
		if s.Services[key] == nil {
			gone = append(gone, key)
			look(key)
		}
	}
	for key := range s.Services {
		look(key)
	}
	p.claims = newClaims(room)
	for _, who := range todo {
		p.claims.enter(who)
	}
	return todo, gone
}

// some looks at the Services that changed, and adds those that won or lost
// something by it.
func (p *Planner) some(s *store.Snapshot, c store.Changes) (todo []*service, gone []store.Key) {
	all := map[*service]bool{}
	moved := map[*service][]stake{}
	for _, keys := range []map[store.Key]bool{c.Services, c.ServiceStatuses, c.Endpoints} {
		for key := range keys {
			who, was, moves := p.look(s, key)
			if who == nil || all[who] {
				continue
			}
			all[who] = true
			if moves {
				moved[who] = was
			}
			if s.Services[key] == nil {
				gone = append(gone, key)
			}
		}
	}
	for who := range p.claims.move(moved) {
		all[who] = true
	}
	return slices.Collect(maps.Keys(all)), gone
}

// look brings a service's stakes and age up to date. It gives nil where there
// neither was nor is anything to keep in mind, else what its stakes were and
// whether its claims are to be settled anew.
func (p *Planner) look(s *store.Snapshot, key store.Key) (who *service, was []stake, moved bool) {
	who, is := p.services[key], s.Services[key]
	stakes, concerned := p.stakesOf(is)
	if who == nil {
		if !concerned {
			return nil, nil, false
		}
		who = &service{name: plan.Service{Namespace: key.Namespace, Name: key.Name}}
		p.services[key] = who
	}
	was, moved = who.stakes, who.take(is)
	if !slices.Equal(stakes, was) {
		who.stakes, moved = kept(stakes), true
	}
	return who, was, moved
}

// take takes over what a service's age is told by, and says whether it changed.
func (w *service) take(s *corev1.Service) bool {
	if s == nil {
		return false
	}
	created := s.CreationTimestamp.Unix()
	aged := created != w.created || s.UID != w.uid
	w.created, w.uid = created, s.UID
	return aged
}
