package lab

import (
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i) // 100 … 1: unsorted on purpose
	}
	for _, c := range []struct {
		name   string
		values []time.Duration
		q      float64
		want   time.Duration
	}{
		{"none", nil, 0.5, 0},
		{"one, lowest", []time.Duration{7}, 0, 7},
		{"one, highest", []time.Duration{7}, 1, 7},
		{"two, half: the lower", []time.Duration{9, 1}, 0.5, 1},
		{"99 % of a hundred", hundred, 0.99, 99},
		{"99 % of fifty is the worst", hundred[:50], 0.99, 100},
		{"all", hundred, 1, 100},
		{"beyond all", hundred, 2, 100},
		{"below none", hundred, -1, 1},
	} {
		if got := Quantile(c.values, c.q); got != c.want {
			t.Errorf("%s: Quantile(%v) = %v, want %v", c.name, c.q, got, c.want)
		}
	}
	if hundred[0] != 100 {
		t.Error("quantile sorted its caller's values")
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1}, 5},
		{[]float64{1000, 1, 2}, 2}, // one outlier moves nothing
	} {
		if got := Median(c.values); got != c.want {
			t.Errorf("Median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}
