package metrics

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// admission is what the metrics say of the admission webhook. The gauges
// are of the last Ingress that was judged, as ingress-nginx has them.
type admission struct {
	tested, testing  prometheus.Gauge
	rendered, render prometheus.Gauge
	size, roundtrip  prometheus.Gauge
	listening        prometheus.Gauge
	counts           atomic.Bool // it counts check_success and check_errors
	mu               sync.Mutex
	names            map[[2]string]bool // that it has counted under
}

func (m *Metrics) ofAdmission(labels prometheus.Labels) {
	gauge := func(name, help string) prometheus.Gauge {
		return m.gauge(prometheus.GaugeOpts{Namespace: prefix, Name: name, Help: help, ConstLabels: labels})
	}
	m.admission.names = map[[2]string]bool{}
	m.admission.tested = gauge("admission_tested_ingresses", "Ingresses that were built to judge the last one: itself and those that share its hosts.")
	m.admission.testing = gauge("admission_tested_duration", "How long that took, in seconds.")
	m.admission.rendered = gauge("admission_render_ingresses", "Ingresses that were rendered to judge the last one.")
	m.admission.render = gauge("admission_render_duration", "How long that took, in seconds.")
	m.admission.size = gauge("admission_config_size", "Size in bytes of the nginx.conf that was rendered to judge the last one: that of its hosts alone.")
	m.admission.roundtrip = gauge("admission_roundtrip_duration", "How long the last question of the API server took to answer, in seconds.")
	m.admission.listening = gauge("admission_listening", "Whether the admission webhook has its port: 1, or 0.")
}

// An Admission is what there is to note of one Ingress that was judged.
type Admission struct {
	Namespace, Name string
	Refused         bool
	Built           int // Ingresses
	Building        time.Duration
	Rendered        int // bytes
	Render          time.Duration
}

// Judged notes an Ingress that was judged.
func (m *Metrics) Judged(a Admission) {
	m.admission.tested.Set(float64(a.Built))
	m.admission.testing.Set(a.Building.Seconds())
	m.admission.rendered.Set(float64(a.Built))
	m.admission.render.Set(a.Render.Seconds())
	m.admission.size.Set(float64(a.Rendered))
	namespace, name := m.admission.named(a.Namespace, a.Name)
	if a.Refused {
		m.rejects.WithLabelValues(namespace, name).Inc()
		return
	}
	m.checks.WithLabelValues(namespace, name).Inc()
}

// maxJudged is how many Ingresses have counters of their own. Whoever may create
// Ingresses chooses their names, and those that are refused never end.
const maxJudged = 5000

// named are the names to count under: "(other)" where there are too many.
func (a *admission) named(namespace, name string) (string, string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := [2]string{namespace, name}
	if !a.names[key] && len(a.names) >= maxJudged {
		return "(other)", "(other)"
	}
	a.names[key] = true
	return namespace, name
}

func (a *admission) forget(namespace, name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.names, [2]string{namespace, name})
}

// Answered notes how long an answer to the API server took.
func (m *Metrics) Answered(took time.Duration) { m.admission.roundtrip.Set(took.Seconds()) }

// Listening notes whether the webhook has its port. Once it has, check_success
// and check_errors are counted where an Ingress is judged.
func (m *Metrics) Listening(yes bool) {
	if yes {
		m.admission.listening.Set(1)
		m.admission.counts.Store(true)
		return
	}
	m.admission.listening.Set(0)
}
