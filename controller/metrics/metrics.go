// Package metrics turns the counters of nginx and of the controller into
// Prometheus metrics, under the names that ingress-nginx gave them.
//
// It counts nothing for each request: nginx does, and is asked at a scrape.
// Where nginx doesn't answer, the rest is still there.
package metrics

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sallyport-ingress/sallyport/nginx"
)

// Nginx is what is asked at a scrape; *nginx.Nginx is one.
type Nginx interface {
	// Requests returns the counters, and how many requests are folded.
	Requests(ctx context.Context) ([]nginx.Series, float64, error)
	Stub(ctx context.Context) (nginx.StubStatus, error)
	Workers() nginx.Processes
}

// Options say what the metrics are of. Namespace, Class and Pod are on each of
// nginx's and the controller's.
type Options struct {
	Namespace, Class, Pod string
	Version               string
	Nginx                 Nginx
	Requests              bool     // there are counters of requests to ask for
	PerHost               bool     // requests get a host label
	StatusClasses         bool     // a status is 2xx, not 200
	Excluded              []string // metrics of requests not to show, with the prefix or without
	PerUndefinedHost      bool     // requests for hosts that no Ingress names are counted
	Buckets               Buckets
	MaxBuckets            int // of a native histogram; 0: any number
}

// Buckets are the upper bounds of histograms, as nginx was told them.
type Buckets struct{ Time, Length, Size []float64 }

// Metrics is what the controller tells, and the handler that shows it.
type Metrics struct {
	registry *prometheus.Registry
	constant prometheus.Labels // of each
	leader   *prometheus.GaugeVec

	configHash      prometheus.Gauge
	lastReload      prometheus.Gauge
	lastReloadTime  prometheus.Gauge
	reloads         prometheus.Counter
	reloadErrors    prometheus.Counter
	reloadDuration  prometheus.Observer
	pushDuration    prometheus.Observer
	changeDuration  *prometheus.HistogramVec
	pushErrors      prometheus.Counter
	pushedItems     prometheus.Counter
	refused         prometheus.Gauge
	problems        prometheus.Gauge
	orphans         *prometheus.GaugeVec
	checks, rejects *prometheus.CounterVec
	certificates    *certificates
	admission       admission
}

// New makes the metrics and registers them, with those of Go and the process.
func New(o Options) *Metrics {
	labels := prometheus.Labels{"controller_namespace": o.Namespace, "controller_class": o.Class, "controller_pod": o.Pod}
	m := &Metrics{registry: prometheus.NewRegistry(), constant: labels, certificates: newCertificates(o.Class)}
	m.ofReloads()
	m.ofPushes()
	m.ofIngresses()
	m.ofAdmission()
	m.leader = m.gauges("leader_election_status")
	m.gauges("build_info").WithLabelValues(o.Version, runtime.Version(), "https://github.com/sallyport-ingress/sallyport").Set(1)
	m.registry.MustRegister(m.certificates, newProcess(o.Nginx, labels),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if o.Requests {
		m.registry.MustRegister(newRequests(o, labels))
	}
	return m
}

func (m *Metrics) ofReloads() {
	m.configHash = m.gauge("config_hash")
	m.lastReload = m.gauge("config_last_reload_successful")
	m.lastReloadTime = m.gauge("config_last_reload_successful_timestamp_seconds")
	m.reloads = m.counter("success")
	m.reloadErrors = m.counter("errors")
	m.reloadDuration = m.histograms("reload_duration_seconds", prometheus.ExponentialBuckets(0.02, 2, 12)).WithLabelValues()
	m.changeDuration = m.histograms("change_duration_seconds", prometheus.ExponentialBuckets(0.001, 2, 16))
}

func (m *Metrics) ofPushes() {
	m.pushDuration = m.histograms("push_duration_seconds", prometheus.ExponentialBuckets(0.0005, 2, 14)).WithLabelValues()
	m.pushErrors = m.counter("push_errors_total")
	m.pushedItems = m.counter("pushed_items_total")
}

func (m *Metrics) ofIngresses() {
	m.refused = m.gauge("quarantined_objects")
	m.problems = m.gauge("problems")
	m.orphans = m.gauges("orphan_ingress")
	m.checks = m.counters("check_success")
	m.rejects = m.counters("check_errors")
}

// Handler shows the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.InstrumentMetricHandler(m.registry,
		promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
}

// Reloaded notes what became of a change of nginx.conf.
func (m *Metrics) Reloaded(ok bool, at time.Time, took time.Duration) {
	if !ok {
		m.lastReload.Set(0)
		m.reloadErrors.Inc()
		return
	}
	m.lastReload.Set(1)
	m.lastReloadTime.Set(float64(at.Unix()))
	m.reloads.Inc()
	m.reloadDuration.Observe(took.Seconds())
}

// Pushed notes a push of data.
func (m *Metrics) Pushed(items int, took time.Duration, err error) {
	if err != nil {
		m.pushErrors.Inc()
		return
	}
	m.pushedItems.Add(float64(items))
	m.pushDuration.Observe(took.Seconds())
}

// Live notes how long a change of an object of a kind took to reach nginx.
func (m *Metrics) Live(kind string, took time.Duration) {
	m.changeDuration.WithLabelValues(kind).Observe(took.Seconds())
}

// ConfigHash notes which nginx.conf is live, by a number made of its digest.
func (m *Metrics) ConfigHash(digest uint64) { m.configHash.Set(float64(digest)) }

// Leader notes whether this replica writes, by the name of the election.
func (m *Metrics) Leader(election string, leads bool) {
	value := 0.0
	if leads {
		value = 1
	}
	m.leader.WithLabelValues(election).Set(value)
}
