package metrics

// Flaws notes how many known vulnerabilities nginx has.
func (m *Metrics) Flaws(count int) { m.flaws.Set(float64(count)) }
