package main

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/proxier"
	"github.com/sallyport-ingress/sallyport/controller/proxier/conntrack"
	"github.com/sallyport-ingress/sallyport/controller/proxier/health"
	"github.com/sallyport-ingress/sallyport/controller/proxier/health/httpd"
	"github.com/sallyport-ingress/sallyport/controller/proxier/iptables"
	"github.com/sallyport-ingress/sallyport/controller/proxier/metrics"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A watcher is told of each round and passes it on: to health, metrics, the
// health-check node ports, and what clears stale UDP flows.
type watcher struct {
	state    *health.State
	ports    *health.ServicePorts
	metrics  *metrics.Metrics
	cleaner  *conntrack.Cleaner      // nil in userspace mode, where flows end at our own sockets
	rules    func() []iptables.Rules // nil but in iptables mode
	eligible func() bool
	first    func() // after the first round; nil when it was called
	noLocal  counts
}

// response is how long a client of /healthz may take to take the answer.
const response = 10 * time.Second

func newWatcher(o *options, mode string, eligible func() bool, m *metrics.Metrics, log *slog.Logger) *watcher {
	w := &watcher{state: health.NewState(2 * o.SyncPeriod), metrics: m, eligible: eligible}
	healthy := func() bool { return w.state.Healthy(time.Now()) }
	w.ports = health.NewServicePorts(healthy, log)
	if mode != "userspace" {
		w.cleaner = conntrack.New(log, m.Conntrack)
	}
	return w
}

// start serves and cleans until ctx ends.
func (w *watcher) start(ctx context.Context, o *options, pages metrics.Pages, tasks *tasks, log *slog.Logger) {
	task := func(what string, run func(context.Context)) {
		tasks.start(what, func() error { run(ctx); return nil })
	}
	if w.cleaner != nil {
		task("clearing stale UDP flows", w.cleaner.Run)
	}
	if o.HealthzAddress != "" {
		h := health.Handler(w.state, time.Now, health.Counts{Healthz: w.metrics.Healthz, Livez: w.metrics.Livez})
		task("serving health", httpd.New("healthz", o.HealthzAddress, h, response, log).Serve)
	}
	if o.MetricsAddress != "" {
		task("serving metrics", metrics.NewServer(o.MetricsAddress, w.metrics, pages, log).Serve)
	}
}

// problems are the health-check node ports that could not be had.
func (w *watcher) problems() []model.Problem {
	var all []model.Problem
	for service, err := range w.ports.Problems() {
		all = append(all, model.Problem{
			Object: model.Object{Kind: "Service", Namespace: service.Namespace, Name: service.Name},
			Field:  "spec.healthCheckNodePort",
			Reason: "is not served: " + err.Error(),
		})
	}
	slices.SortFunc(all, func(a, b model.Problem) int {
		return cmp.Or(cmp.Compare(a.Object.Namespace, b.Object.Namespace), cmp.Compare(a.Object.Name, b.Object.Name))
	})
	return all
}

// Queued is told by the proxier.
func (w *watcher) Queued() {
	now := time.Now()
	w.state.Queued(now)
	w.metrics.Queued(now)
}

// Programmed is told by the proxier.
func (w *watcher) Programmed(r proxier.Round) {
	now := time.Now()
	w.state.Eligible(w.eligible())
	w.state.Programmed(r.Begun, now)
	if r.Full || r.HealthChecks {
		w.ports.Sync(r.Plan.HealthChecks, r.Plan.Settings.NodePorts)
	}
	if r.Full || len(r.Changes) > 0 {
		w.metrics.Synced(now, r.Took, r.Full)
		w.countRules()
	}
	w.metrics.ServiceChanges(r.Services, 0)
	w.metrics.EndpointChanges(r.Endpoints, 0)
	w.metrics.Refused(r.Refused)
	for _, t := range r.Triggers {
		w.metrics.Latency(plan.IPv4, now.Sub(t))
	}
	if w.noLocal.note(r) {
		for f, n := range w.noLocal {
			w.metrics.NoLocalEndpoints(f, n.internal, n.external)
		}
	}
	switch {
	case w.cleaner == nil:
	case r.Full:
		w.cleaner.Reconcile(r.Plan)
	default:
		w.cleaner.Changed(r.Changes, r.Plan)
	}
	if w.first != nil {
		w.first()
		w.first = nil
	}
}

func (w *watcher) countRules() {
	if w.rules == nil {
		return
	}
	for _, one := range w.rules() {
		w.metrics.IPTablesRules(one.Family, one.Table, one.Total, one.Written)
	}
}

// Failed is told by the proxier. A Sync that failed is work that waits, also
// where no object changed but somebody deleted what the kernel had.
func (w *watcher) Failed(full bool) {
	w.metrics.Failed(full)
	if full {
		w.state.Queued(time.Now())
	}
}

// Restored is told by the proxier.
func (w *watcher) Restored() { w.metrics.Restored() }

// counts are how many ports have endpoints, but none here by a policy Local.
type counts map[plan.Family]struct{ internal, external int }

// note is true where it may have changed something.
func (c *counts) note(r proxier.Round) (changed bool) {
	if *c == nil || r.Full {
		*c = counts{plan.IPv4: {}, plan.IPv6: {}}
		for _, p := range r.Plan.Ports {
			c.add(p, 1)
		}
		return true
	}
	for _, change := range r.Changes {
		was, is := c.add(change.Was, -1), c.add(change.Is, 1)
		changed = changed || was || is
	}
	return changed
}

// add is true where the port counts.
func (c counts) add(p *plan.Port, n int) bool {
	if p == nil || len(p.Cluster) == 0 || len(p.Local) > 0 {
		return false
	}
	local := func(internal bool) bool {
		return slices.ContainsFunc(p.Frontends, func(f plan.Frontend) bool { return f.Local && (f.Kind == plan.ClusterIP) == internal })
	}
	of := c[p.Family]
	if local(true) {
		of.internal += n
	}
	if local(false) {
		of.external += n
	}
	counts := of != c[p.Family]
	c[p.Family] = of
	return counts
}

// problems are what is told to the cluster: those of the start, and those that
// the proxier finds.
type problems struct {
	own     []model.Problem
	metrics *metrics.Metrics
	publish func([]model.Problem)
}

func (p *problems) report(found []model.Problem) {
	all := append(p.own[:len(p.own):len(p.own)], found...)
	p.metrics.Problems(len(all))
	p.publish(all)
}
