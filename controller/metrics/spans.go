package metrics

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-ingress/sallyport/controller/spans"
)

// Spans shows what became of the spans of traced requests.
func (m *Metrics) Spans(c *spans.Counts) {
	const dropped = "Spans that no collector was told of: nginx's queue was full, or the collector refused them."
	m.ofSpans("spans_exported_total", "Spans that the collector took.", nil, &c.Exported)
	m.ofSpans("spans_dropped_total", dropped, prometheus.Labels{"reason": "queue"}, &c.Full)
	m.ofSpans("spans_dropped_total", dropped, prometheus.Labels{"reason": "collector"}, &c.Refused)
}

func (m *Metrics) ofSpans(name, help string, labels prometheus.Labels, count *atomic.Uint64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(
		prometheus.CounterOpts{Namespace: prefix, Name: name, Help: help, ConstLabels: labels},
		func() float64 { return float64(count.Load()) }))
}
