package metrics

import (
	"maps"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-ingress/sallyport/controller/spans"
)

// Spans shows what became of the spans of traced requests.
func (m *Metrics) Spans(c *spans.Counts) {
	m.ofSpans("spans_exported_total", "", &c.Exported)
	m.ofSpans("spans_dropped_total", "queue", &c.Full)
	m.ofSpans("spans_dropped_total", "collector", &c.Refused)
}

func (m *Metrics) ofSpans(name, reason string, count *atomic.Uint64) {
	labels := maps.Clone(m.constant)
	if reason != "" {
		labels["reason"] = reason
	}
	m.registry.MustRegister(prometheus.NewCounterFunc(
		prometheus.CounterOpts{Namespace: prefix, Name: name, Help: named(name).Help, ConstLabels: labels},
		func() float64 { return float64(count.Load()) }))
}
