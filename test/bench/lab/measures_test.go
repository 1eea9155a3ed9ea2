package lab

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func some() Measures {
	return Measures{{Name: "speed"}, {Name: "tls"}, {Name: "self", Extra: true}}
}

func TestChoose(t *testing.T) {
	for _, bad := range []string{"no-such", "speed,", ",", "speed, tls"} {
		if got, err := some().Choose(bad); err == nil {
			t.Errorf("Choose(%q) = %s, want an error", bad, got.Names())
		}
	}
	for only, want := range map[string]string{"": "speed, tls", "tls,speed": "speed, tls", "self": "self"} {
		if got, err := some().Choose(only); err != nil || got.Names() != want {
			t.Errorf("Choose(%q) = %s, %v, want %s", only, got.Names(), err, want)
		}
	}
}

func TestTakeAllSaysWhatCouldNotBeTaken(t *testing.T) {
	var table strings.Builder
	ok := Measures{
		{Name: "broken", Take: func(s *Session) []Row { s.Must(errors.New("no nginx"), "start"); return nil }},
		{Name: "fine", Take: func(*Session) []Row { return []Row{{Measure: "hosts", Measured: "7", Verdict: Unasked}} }},
	}.TakeAll(&table, io.Discard)
	if ok || !strings.Contains(table.String(), "start: no nginx") || !strings.Contains(table.String(), "hosts") {
		t.Errorf("ok = %v, want a row for each measure and false:\n%s", ok, table.String())
	}
}
