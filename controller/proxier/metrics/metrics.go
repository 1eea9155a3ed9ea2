// Package metrics turns what the proxier does into Prometheus metrics: under
// kube-proxy's names what kube-proxy tells as well, under names of its own what
// kube-proxy does not.
//
// It counts no connection: the kernel does, and is asked at a scrape. Where the
// kernel does not answer, the rest is still there.
package metrics

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

const (
	kubeProxy = "kubeproxy"
	own       = "sallyport_proxier"
	// scrapes bounds how many are served at a time, for each holds all series.
	scrapes = 3
)

// Options say what the metrics are of.
type Options struct {
	// Mode is the one in use, Wanted the one that was asked for.
	Mode, Wanted string
	Version      string
	// Families are those that the node programs. What is done for all of them
	// at once is told for each, as by kube-proxy, which has a proxier for each.
	Families []plan.Family
	// Connections is asked at a scrape; nil where nothing counts.
	Connections Connections
	// Series bounds how many series of Connections are shown; 0 is
	// DefaultSeries.
	Series int
}

// Metrics is what the proxier tells, and the handler that shows it. Its methods
// may be called by several goroutines.
type Metrics struct {
	registry *prometheus.Registry
	families []plan.Family

	syncs, fullSyncs, partialSyncs *prometheus.HistogramVec
	lastSync, lastQueued           *prometheus.GaugeVec
	failures                       failures
	latency                        *prometheus.HistogramVec
	endpoints, services            changes
	noLocal                        *prometheus.GaugeVec
	healthz, livez                 *prometheus.CounterVec
	conntrack                      *prometheus.HistogramVec
	deletedFlows                   *prometheus.CounterVec
	rules, writtenRules            *prometheus.GaugeVec // nil but in iptables mode

	refused, problems prometheus.Gauge
	restored          prometheus.Counter
}

// changes count the changes of one kind of object.
type changes struct {
	pending prometheus.Gauge
	total   prometheus.Counter
}

// New makes the metrics and registers them, with those of Go and the process.
func New(o Options) *Metrics {
	r := registry{prometheus.NewRegistry(), prometheus.Labels{}, o.Families}
	m := &Metrics{registry: r.Registry, families: o.Families}
	m.ofSyncs(r)
	m.ofChanges(r)
	m.ofConntrack(r)
	m.failures = newFailures(r, o.Mode)
	if o.Mode == "iptables" {
		m.rules = r.gauges(kubeProxy, "sync_proxy_rules_iptables_total", "Rules that are programmed, by table.", "table", "ip_family")
		m.writtenRules = r.gauges(kubeProxy, "sync_proxy_rules_iptables_last", "Rules that were written the last time, by table.", "table", "ip_family")
	}
	m.healthz = r.counters(kubeProxy, "proxy_healthz_total", "Answers of /healthz, by status.", "code")
	m.livez = r.counters(kubeProxy, "proxy_livez_total", "Answers of /livez, by status.", "code")
	m.ofOwn(r, o)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if o.Connections != nil {
		r.MustRegister(newConnections(o.Connections, o.Series))
	}
	return m
}

func (m *Metrics) ofSyncs(r registry) {
	buckets := prometheus.ExponentialBuckets(0.001, 2, 15)
	m.syncs = r.histograms("sync_proxy_rules_duration_seconds", "How long it took to program a plan or a change of it.", buckets)
	m.fullSyncs = r.histograms("sync_full_proxy_rules_duration_seconds", "How long it took to program a whole plan.", buckets)
	m.partialSyncs = r.histograms("sync_partial_proxy_rules_duration_seconds", "How long it took to program a change of a plan.", buckets)
	m.lastSync = r.gauges(kubeProxy, "sync_proxy_rules_last_timestamp_seconds", "When something was last programmed, in Unix time.", "ip_family")
	m.lastQueued = r.gauges(kubeProxy, "sync_proxy_rules_last_queued_timestamp_seconds", "When something that is to be programmed last changed, in Unix time.", "ip_family")
}

func (m *Metrics) ofChanges(r registry) {
	m.latency = r.histograms("network_programming_duration_seconds",
		"From the change of an endpoint, by the annotation of its EndpointSlice, until it is programmed.", latencyBuckets())
	m.endpoints = changes{
		r.gauge(kubeProxy, "sync_proxy_rules_endpoint_changes_pending", "Changes of EndpointSlices that are not programmed yet."),
		r.counter(kubeProxy, "sync_proxy_rules_endpoint_changes_total", "Changes of EndpointSlices."),
	}
	m.services = changes{
		r.gauge(kubeProxy, "sync_proxy_rules_service_changes_pending", "Changes of Services that are not programmed yet."),
		r.counter(kubeProxy, "sync_proxy_rules_service_changes_total", "Changes of Services."),
	}
	m.noLocal = r.gauges(kubeProxy, "sync_proxy_rules_no_local_endpoints_total",
		"Ports of Services that have endpoints, but by their policy Local none here, by the policy.", "traffic_policy", "ip_family")
}

func (m *Metrics) ofConntrack(r registry) {
	m.conntrack = r.histograms("conntrack_reconciler_sync_duration_seconds",
		"How long it took to look for stale UDP flows and delete them.", prometheus.ExponentialBuckets(0.001, 2, 15))
	m.deletedFlows = r.countersByFamily("conntrack_reconciler_deleted_entries_total", "Stale UDP flows that were deleted.")
}

func (m *Metrics) ofOwn(r registry, o Options) {
	m.refused = r.gauge(own, "refused_ports", "Ports of Services that the kernel does not take.")
	m.problems = r.gauge(own, "problems", "Things in objects that are not as their authors mean them.")
	m.restored = r.counter(own, "restored_total", "How often somebody had deleted what was programmed, and it was programmed again.")
	r.with("mode", o.Mode, "wanted", o.Wanted).gauge(own, "mode", "The mode in use, and the one that was asked for; always 1.").Set(1)
	r.with("release", o.Version, "build", runtime.Version(), "repository", "https://github.com/sallyport-ingress/sallyport").
		gauge(own, "build_info", "What is running; always 1.").Set(1)
}

// latencyBuckets are kube-proxy's for network_programming_duration_seconds:
// a quarter and half a second, each second of the first minute, then steps of
// 5 seconds, and of 30 up to 5 minutes.
func latencyBuckets() []float64 {
	all := []float64{0.25, 0.5}
	for s := 1.0; s < 60; s++ {
		all = append(all, s)
	}
	for s := 60.0; s < 120; s += 5 {
		all = append(all, s)
	}
	for s := 120.0; s <= 300; s += 30 {
		all = append(all, s)
	}
	return all
}

// Handler shows the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.InstrumentMetricHandler(m.registry, promhttp.HandlerFor(m.registry,
		promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: scrapes}))
}

// Synced notes that a plan as a whole, or a change of one, was programmed: when
// that was done and how long it took.
func (m *Metrics) Synced(at time.Time, took time.Duration, full bool) {
	which := m.partialSyncs
	if full {
		which = m.fullSyncs
	}
	for _, f := range m.families {
		m.syncs.WithLabelValues(f.String()).Observe(took.Seconds())
		which.WithLabelValues(f.String()).Observe(took.Seconds())
		m.lastSync.WithLabelValues(f.String()).Set(seconds(at))
	}
}

// Failed notes that a plan, or a change of one, could not be programmed.
func (m *Metrics) Failed(full bool) { m.failures.add(m.families, full) }

// Queued notes that something has changed that is to be programmed.
func (m *Metrics) Queued(at time.Time) {
	for _, f := range m.families {
		m.lastQueued.WithLabelValues(f.String()).Set(seconds(at))
	}
}

// EndpointChanges notes how many changes of EndpointSlices came, and how many
// wait to be programmed.
func (m *Metrics) EndpointChanges(came, pending int) { m.endpoints.note(came, pending) }

// ServiceChanges notes how many changes of Services came, and how many wait to
// be programmed.
func (m *Metrics) ServiceChanges(came, pending int) { m.services.note(came, pending) }

func (c changes) note(came, pending int) {
	c.total.Add(float64(came))
	c.pending.Set(float64(pending))
}

// Latency notes how long a change of an endpoint took from its cause until it
// was programmed. It may be below 0 by clocks that differ; that is 0.
func (m *Metrics) Latency(f plan.Family, took time.Duration) {
	m.latency.WithLabelValues(f.String()).Observe(max(took, 0).Seconds())
}

// NoLocalEndpoints notes how many ports drop traffic now for want of endpoints
// on this node, by their internal and by their external policy.
func (m *Metrics) NoLocalEndpoints(f plan.Family, internal, external int) {
	m.noLocal.WithLabelValues("internal", f.String()).Set(float64(internal))
	m.noLocal.WithLabelValues("external", f.String()).Set(float64(external))
}

// Conntrack notes that stale UDP flows were looked for. It is a
// conntrack.Report.
func (m *Metrics) Conntrack(f plan.Family, deleted int, took time.Duration) {
	m.conntrack.WithLabelValues(f.String()).Observe(took.Seconds())
	m.deletedFlows.WithLabelValues(f.String()).Add(float64(deleted))
}

// Healthz notes an answer of /healthz by its status.
func (m *Metrics) Healthz(code int) { m.healthz.WithLabelValues(strconv.Itoa(code)).Inc() }

// Livez notes an answer of /livez by its status.
func (m *Metrics) Livez(code int) { m.livez.WithLabelValues(strconv.Itoa(code)).Inc() }

// IPTablesRules notes how many rules a table has of ours, and how many of them
// were written the last time. It is nothing in the other modes.
func (m *Metrics) IPTablesRules(f plan.Family, table string, total, written int) {
	if m.rules == nil {
		return
	}
	m.rules.WithLabelValues(table, f.String()).Set(float64(total))
	m.writtenRules.WithLabelValues(table, f.String()).Set(float64(written))
}

// Refused notes how many ports the kernel does not take now.
func (m *Metrics) Refused(ports int) { m.refused.Set(float64(ports)) }

// Problems notes how many problems objects have now.
func (m *Metrics) Problems(n int) { m.problems.Set(float64(n)) }

// Restored notes that somebody had deleted what was programmed, and that it was
// programmed again.
func (m *Metrics) Restored() { m.restored.Inc() }

// seconds is a time as Prometheus has them.
func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }
