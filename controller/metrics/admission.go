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

func (m *Metrics) ofAdmission() {
	m.admission.names = map[[2]string]bool{}
	m.admission.tested = m.gauge("admission_tested_ingresses")
	m.admission.testing = m.gauge("admission_tested_duration")
	m.admission.rendered = m.gauge("admission_render_ingresses")
	m.admission.render = m.gauge("admission_render_duration")
	m.admission.size = m.gauge("admission_config_size")
	m.admission.roundtrip = m.gauge("admission_roundtrip_duration")
	m.admission.listening = m.gauge("admission_listening")
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
