package metrics

import "github.com/prometheus/client_golang/prometheus"

// Each of these registers a metric of the table, with the constant labels; the
// plural ones have labels of their own besides.

func (m *Metrics) gauges(name string) *prometheus.GaugeVec {
	d := named(name)
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: prefix, Name: name, Help: d.Help, ConstLabels: m.constant}, d.Labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) gauge(name string) prometheus.Gauge { return m.gauges(name).WithLabelValues() }

func (m *Metrics) counters(name string) *prometheus.CounterVec {
	d := named(name)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: prefix, Name: name, Help: d.Help, ConstLabels: m.constant}, d.Labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) counter(name string) prometheus.Counter { return m.counters(name).WithLabelValues() }

func (m *Metrics) histograms(name string, bounds []float64) *prometheus.HistogramVec {
	d := named(name)
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: prefix, Name: name, Help: d.Help, ConstLabels: m.constant, Buckets: bounds}, d.Labels)
	m.registry.MustRegister(v)
	return v
}
