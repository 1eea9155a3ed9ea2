package main

import (
	"testing"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

func TestRatioIsOfMedians(t *testing.T) {
	for _, c := range []struct {
		name       string
		hand, ours []float64
		reach      string
		measured   string
		want       lab.Verdict
	}{
		{"too slow", []float64{100, 100, 100}, []float64{89, 89, 89}, "≥ 0.9", "0.890", lab.Missed},
		{"just under", []float64{10000}, []float64{8999}, "≥ 0.9", "0.900", lab.Missed},
		{"one bad round of three", []float64{100, 100, 100}, []float64{95, 10, 95}, "≥ 0.9", "0.950", lab.Reached},
		{"one lucky round of three", []float64{100, 100, 100}, []float64{80, 80, 1000}, "≥ 0.9", "0.800", lab.Missed},
		{"not asked for", []float64{100}, []float64{50}, "", "0.500", lab.Unasked},
	} {
		got := ratio(c.name, c.reach, c.hand, c.ours)
		if got.Measured != c.measured || got.Verdict != c.want {
			t.Errorf("%s: %s, verdict %q, want %s, %q", c.name, got.Measured, got.Verdict, c.measured, c.want)
		}
	}
}
