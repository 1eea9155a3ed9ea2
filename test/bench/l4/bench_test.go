package main

import (
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

func TestVersusJudgesOnlyWhatIsAsked(t *testing.T) {
	for _, c := range []struct {
		reach string
		ok    bool
		want  lab.Verdict
	}{{"≥ 50", false, lab.Missed}, {"≥ 50", true, lab.Reached}, {"", true, lab.Unasked}, {"", false, lab.Unasked}} {
		if got := versus("x", c.reach, 1, c.ok, "").Verdict; got != c.want {
			t.Errorf("reach %q, ok %v: %q, want %q", c.reach, c.ok, got, c.want)
		}
	}
}

func TestPairedComparesWithinARound(t *testing.T) {
	// The machine is ten times slower in the second round; b is 10 % slower always.
	ratio, of := paired([]float64{100, 1000, 100}, []float64{110, 1100, 110})
	if ratio < 0.90 || ratio > 0.92 || !strings.HasPrefix(of, "3 rounds") {
		t.Errorf("paired = %v, %q, want 0.909", ratio, of)
	}
}

func TestRivalsWaitForNothingThatIsMissing(t *testing.T) {
	t.Setenv(proxierVariable, "")
	t.Setenv(missingVariable, "build cmd/sallyport-proxier: no")
	err := lab.Attempt("x", t.Output(), func(s *lab.Session) { newContestant(s, ours) })
	if err == nil || !strings.Contains(err.Error(), "build cmd/sallyport-proxier: no") {
		t.Errorf("error %v, want why there is no contestant", err)
	}
}
