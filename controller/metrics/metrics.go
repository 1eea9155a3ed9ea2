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
	Requests(ctx context.Context) ([]nginx.Series, error)
	Stub(ctx context.Context) (nginx.StubStatus, error)
	Workers() nginx.Processes
}

// Options say what the metrics are of. Namespace, Class and Pod are on each of
// nginx's and the controller's.
type Options struct {
	Namespace, Class, Pod string
	Version               string
	Nginx                 Nginx
	Requests              bool // there are counters of requests to ask for
	PerHost               bool // requests get a host label
	PerUndefinedHost      bool // requests for hosts that no Ingress names are counted
	Buckets               Buckets
}

// Buckets are the upper bounds of histograms, as nginx was told them.
type Buckets struct{ Time, Length, Size []float64 }

const prefix = "nginx_ingress_controller"

// Metrics is what the controller tells, and the handler that shows it.
type Metrics struct {
	registry *prometheus.Registry
	leader   *prometheus.GaugeVec

	configHash      prometheus.Gauge
	lastReload      prometheus.Gauge
	lastReloadTime  prometheus.Gauge
	reloads         prometheus.Counter
	reloadErrors    prometheus.Counter
	reloadDuration  prometheus.Histogram
	pushDuration    prometheus.Histogram
	pushErrors      prometheus.Counter
	pushedItems     prometheus.Counter
	refused         prometheus.Gauge
	problems        prometheus.Gauge
	flaws           prometheus.Gauge
	orphans         *prometheus.GaugeVec
	checks, rejects *prometheus.CounterVec
	certificates    *certificates
	admission       admission
}

// New makes the metrics and registers them, with those of Go and the process.
func New(o Options) *Metrics {
	labels := prometheus.Labels{"controller_namespace": o.Namespace, "controller_class": o.Class, "controller_pod": o.Pod}
	m := &Metrics{registry: prometheus.NewRegistry(), certificates: newCertificates(o.Class)}
	m.ofReloads(labels)
	m.ofPushes(labels)
	m.ofIngresses(labels)
	m.ofAdmission(labels)
	m.leader = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: prefix, Name: "leader_election_status", ConstLabels: labels,
		Help: "Whether this replica writes status and Events: 1, or 0.",
	}, []string{"name"})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: prefix, Name: "build_info", Help: "What is running; always 1.",
		ConstLabels: prometheus.Labels{"release": o.Version, "build": runtime.Version(), "repository": "https://github.com/sallyport-ingress/sallyport",
			"controller_namespace": o.Namespace, "controller_class": o.Class, "controller_pod": o.Pod},
	})
	build.Set(1)
	m.registry.MustRegister(m.leader, build, m.certificates, newProcess(o.Nginx, labels),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if o.Requests {
		m.registry.MustRegister(newRequests(o, labels))
	}
	return m
}

func (m *Metrics) ofReloads(labels prometheus.Labels) {
	gauge := func(name, help string) prometheus.Gauge {
		return m.gauge(prometheus.GaugeOpts{Namespace: prefix, Name: name, Help: help, ConstLabels: labels})
	}
	m.configHash = gauge("config_hash", "A digest of the nginx.conf that is live.")
	m.lastReload = gauge("config_last_reload_successful", "Whether the last change of nginx.conf was taken: 1, or 0.")
	m.lastReloadTime = gauge("config_last_reload_successful_timestamp_seconds", "When a change of nginx.conf was last taken, in Unix time.")
	m.reloads = m.counter(prometheus.CounterOpts{Namespace: prefix, Name: "success", Help: "Changes of nginx.conf that nginx has taken.", ConstLabels: labels})
	m.reloadErrors = m.counter(prometheus.CounterOpts{Namespace: prefix, Name: "errors", Help: "Changes of nginx.conf that nginx has not taken.", ConstLabels: labels})
	m.reloadDuration = m.histogram(prometheus.HistogramOpts{
		Namespace: prefix, Name: "reload_duration_seconds", ConstLabels: labels, Buckets: prometheus.ExponentialBuckets(0.02, 2, 12),
		Help: "From a rendered nginx.conf until new workers answer.",
	})
}

func (m *Metrics) ofPushes(labels prometheus.Labels) {
	m.pushDuration = m.histogram(prometheus.HistogramOpts{
		Namespace: prefix, Name: "push_duration_seconds", ConstLabels: labels, Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		Help: "From changed data until nginx has it.",
	})
	m.pushErrors = m.counter(prometheus.CounterOpts{Namespace: prefix, Name: "push_errors_total", Help: "Pushes of data that failed; they are tried again.", ConstLabels: labels})
	m.pushedItems = m.counter(prometheus.CounterOpts{Namespace: prefix, Name: "pushed_items_total", Help: "Items of data that were set or deleted in nginx.", ConstLabels: labels})
}

func (m *Metrics) ofIngresses(labels prometheus.Labels) {
	m.refused = m.gauge(prometheus.GaugeOpts{Namespace: prefix, Name: "quarantined_objects", Help: "Ingresses, and the ConfigMap, of which nginx refuses the present version.", ConstLabels: labels})
	m.problems = m.gauge(prometheus.GaugeOpts{Namespace: prefix, Name: "problems", Help: "Things in objects that are not as their authors mean them.", ConstLabels: labels})
	m.flaws = m.gauge(prometheus.GaugeOpts{Namespace: prefix, Name: "nginx_known_vulnerabilities", Help: "Vulnerabilities that this version of nginx is known to have; the log names them.", ConstLabels: labels})
	m.orphans = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: prefix, Name: "orphan_ingress", ConstLabels: labels, Help: "Ingresses with a Service that is missing, or without endpoints: 1.",
	}, []string{"namespace", "ingress", "type"})
	perIngress := []string{"namespace", "ingress"}
	m.checks = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: prefix, Name: "check_success", ConstLabels: labels, Help: "Versions of an Ingress without a problem."}, perIngress)
	m.rejects = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: prefix, Name: "check_errors", ConstLabels: labels, Help: "Versions of an Ingress with a problem."}, perIngress)
	m.registry.MustRegister(m.orphans, m.checks, m.rejects)
}

func (m *Metrics) gauge(o prometheus.GaugeOpts) prometheus.Gauge {
	g := prometheus.NewGauge(o)
	m.registry.MustRegister(g)
	return g
}

func (m *Metrics) counter(o prometheus.CounterOpts) prometheus.Counter {
	c := prometheus.NewCounter(o)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) histogram(o prometheus.HistogramOpts) prometheus.Histogram {
	h := prometheus.NewHistogram(o)
	m.registry.MustRegister(h)
	return h
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
