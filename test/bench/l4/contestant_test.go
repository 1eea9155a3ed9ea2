package main

import (
	"strings"
	"testing"
)

func TestMostOf(t *testing.T) {
	const name = "kubeproxy_sync_full_proxy_rules_duration_seconds_sum"
	for _, c := range []struct {
		title, text string
		want        float64
		ok          bool
	}{
		{"nothing", "", 0, false},
		{"another that begins alike", name + "_total 3\n" + name + "s{a=\"b\"} 4\n", 0, false},
		{"only its help", "# HELP " + name + " 7\n", 0, false},
		{"not a number", name + " soon\n", 0, false},
		{"NaN", name + " NaN\n", 0, false},
		{"no labels", "# TYPE " + name + " summary\n" + name + " 1.5\n", 1.5, true},
		{"two families", name + "{ip_family=\"IPv4\"} 19.5\n" + name + "{ip_family=\"IPv6\"} 0.25\n", 19.5, true},
		{"a label with a space", name + "{a=\"b c\"} 1e-3\n", 0.001, true},
	} {
		got, err := mostOf(strings.NewReader(c.text), name)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%s: %v, %v, want %v", c.title, got, err, c.want)
		}
	}
}
