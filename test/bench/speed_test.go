package main

import "testing"

func TestRatioIsOfMedians(t *testing.T) {
	for _, c := range []struct {
		name       string
		hand, ours []float64
		reach      string
		measured   string
		want       verdict
	}{
		{"too slow", []float64{100, 100, 100}, []float64{89, 89, 89}, "≥ 0.9", "0.890", missed},
		{"just under", []float64{10000}, []float64{8999}, "≥ 0.9", "0.900", missed},
		{"one bad round of three", []float64{100, 100, 100}, []float64{95, 10, 95}, "≥ 0.9", "0.950", reached},
		{"one lucky round of three", []float64{100, 100, 100}, []float64{80, 80, 1000}, "≥ 0.9", "0.800", missed},
		{"not asked for", []float64{100}, []float64{50}, "", "0.500", unasked},
	} {
		got := ratio(c.name, c.reach, c.hand, c.ours)
		if got.measured != c.measured || got.verdict != c.want {
			t.Errorf("%s: %s, verdict %q, want %s, %q", c.name, got.measured, got.verdict, c.measured, c.want)
		}
	}
}
