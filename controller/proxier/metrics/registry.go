package metrics

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A registry registers what it makes, with some labels on it.
type registry struct {
	*prometheus.Registry
	labels   prometheus.Labels
	families []plan.Family
}

// with is a registry that puts labels more on it: names and values in turns.
func (r registry) with(labels ...string) registry {
	all := maps.Clone(r.labels)
	for i := 0; i+1 < len(labels); i += 2 {
		all[labels[i]] = labels[i+1]
	}
	return registry{r.Registry, all, r.families}
}

func (r registry) gauge(subsystem, name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Subsystem: subsystem, Name: name, Help: help, ConstLabels: r.labels})
	r.MustRegister(g)
	return g
}

func (r registry) gauges(subsystem, name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Subsystem: subsystem, Name: name, Help: help, ConstLabels: r.labels}, labels)
	r.MustRegister(g)
	return g
}

func (r registry) counter(subsystem, name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Subsystem: subsystem, Name: name, Help: help, ConstLabels: r.labels})
	r.MustRegister(c)
	return c
}

func (r registry) counters(subsystem, name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Subsystem: subsystem, Name: name, Help: help, ConstLabels: r.labels}, labels)
	r.MustRegister(c)
	return c
}

// countersByFamily are kube-proxy's. They begin at 0, so that the first one
// counts as an increase.
func (r registry) countersByFamily(name, help string) *prometheus.CounterVec {
	c := r.counters(kubeProxy, name, help, "ip_family")
	for _, f := range r.families {
		c.WithLabelValues(f.String())
	}
	return c
}

// histograms are kube-proxy's, by family.
func (r registry) histograms(name, help string, buckets []float64) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Subsystem: kubeProxy, Name: name, Help: help, ConstLabels: r.labels, Buckets: buckets,
	}, []string{"ip_family"})
	for _, f := range r.families {
		h.WithLabelValues(f.String())
	}
	r.MustRegister(h)
	return h
}

// What a sync was of.
const full, partial = "full", "partial"

// failures count what could not be programmed: for every mode under our name,
// and under the names that kube-proxy has for the mode.
type failures struct {
	all           *prometheus.CounterVec
	full, partial *prometheus.CounterVec // kube-proxy's; nil where it has none
}

func newFailures(r registry, mode string) failures {
	f := failures{all: r.counters(own, "sync_failures_total", "Plans (full) and changes of plans (partial) that could not be programmed; they are tried again.", "sync")}
	f.all.WithLabelValues(full)
	f.all.WithLabelValues(partial)
	switch mode {
	case "nftables":
		f.full = r.countersByFamily("sync_proxy_rules_nftables_sync_failures_total", "Failures to program nftables.")
		f.partial = f.full
	case "iptables":
		f.full = r.countersByFamily("sync_proxy_rules_iptables_restore_failures_total", "Failures of iptables-restore.")
		f.partial = r.countersByFamily("sync_proxy_rules_iptables_partial_restore_failures_total", "Failures of iptables-restore with a change alone.")
	case "ipvs":
		f.full = r.countersByFamily("sync_proxy_rules_iptables_restore_failures_total", "Failures of iptables-restore.")
		f.partial = f.full
	}
	return f
}

func (f failures) add(families []plan.Family, whole bool) {
	theirs, kind := f.partial, partial
	if whole {
		theirs, kind = f.full, full
	}
	f.all.WithLabelValues(kind).Inc()
	if theirs == nil {
		return
	}
	for _, family := range families {
		theirs.WithLabelValues(family.String()).Inc()
	}
}
