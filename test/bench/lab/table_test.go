package lab

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestTableKeepsEachRowOnOneLine(t *testing.T) {
	var out strings.Builder
	rows := []Row{
		Unmeasured("speed", errors.New("nginx: [emerg] first\nsecond\r\n\tthird")),
		{Measure: "failed requests", Reach: "0", Measured: "0", Verdict: Reached, Of: "9 requests"},
	}
	if err := Print(&out, rows); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 3 {
		t.Fatalf("2 rows became %d lines:\n%s", len(lines), out.String())
	}
	if !strings.Contains(lines[1], string(NotMeasured)) || !strings.Contains(lines[1], "second") {
		t.Errorf("a measure that failed does not say so with its reason: %q", lines[1])
	}
}

func TestLatencyNeedsBothBounds(t *testing.T) {
	spread := make([]time.Duration, 100)
	for i := range spread {
		spread[i] = time.Duration(i+1) * time.Millisecond
	}
	for _, c := range []struct {
		name     string
		times    []time.Duration
		p50, p99 time.Duration
		want     Verdict
	}{
		{"no trial", nil, time.Hour, time.Hour, Missed},
		{"median too slow", spread, 49 * time.Millisecond, time.Hour, Missed},
		{"tail too slow", spread, time.Hour, 98 * time.Millisecond, Missed},
		{"at the bounds", spread, 50 * time.Millisecond, 99 * time.Millisecond, Reached},
	} {
		if got := Latency(c.name, c.times, c.p50, c.p99, "").Verdict; got != c.want {
			t.Errorf("%s: verdict %q, want %q", c.name, got, c.want)
		}
	}
}
