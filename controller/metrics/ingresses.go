package metrics

// An Ingress is what the metrics say of one Ingress.
type Ingress struct {
	Namespace, Name string
	Changed         bool // it is new, or another version, since the call before
	Problem         bool
	// Orphan is "no-service" or "no-endpoint" where a Service of it is missing
	// or has no endpoints.
	Orphan string
}

// Ingresses notes what the cluster's Ingresses came to, all of them, and how
// many problems and refused objects there are.
func (m *Metrics) Ingresses(all []Ingress, problems, refused int) {
	m.problems.Set(float64(problems))
	m.refused.Set(float64(refused))
	m.orphans.Reset()
	for _, ing := range all {
		if ing.Orphan != "" {
			m.orphans.WithLabelValues(ing.Namespace, ing.Name, ing.Orphan).Set(1)
		}
		switch {
		case m.admission.counts.Load(): // as it is asked, and not by each replica
		case ing.Changed && ing.Problem:
			m.rejects.WithLabelValues(ing.Namespace, ing.Name).Inc()
		case ing.Changed:
			m.checks.WithLabelValues(ing.Namespace, ing.Name).Inc()
		}
	}
}

// Forget drops the counters of an Ingress that is gone.
func (m *Metrics) Forget(namespace, name string) {
	m.checks.DeleteLabelValues(namespace, name)
	m.rejects.DeleteLabelValues(namespace, name)
	m.admission.forget(namespace, name)
}
