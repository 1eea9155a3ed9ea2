package main

import "testing"

func TestChoose(t *testing.T) {
	for _, bad := range []string{"no-such", "speed,", ",", "speed, tls"} {
		if got, err := choose(bad); err == nil {
			t.Errorf("choose(%q) = %d measures, want an error", bad, len(got))
		}
	}
	all, err := choose("")
	if err != nil || len(all) != len(measures())-1 {
		t.Errorf("choose(\"\") = %d measures, %v: want all but the self-check", len(all), err)
	}
	two, err := choose("tls,speed")
	if err != nil || len(two) != 2 || two[0].name != "speed" || two[1].name != "tls" {
		t.Errorf("choose(tls,speed) = %v, %v: want both in the table's order", two, err)
	}
}
