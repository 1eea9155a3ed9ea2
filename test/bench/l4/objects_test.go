package main

import (
	"net/netip"
	"testing"
)

func TestNoTwoServicesShareAnAddress(t *testing.T) {
	fronts := netip.MustParsePrefix("10.96.0.0/16") // the API server's
	served := netip.MustParsePrefix(podRange)
	seen := map[netip.Addr]bool{}
	claim := func(a netip.Addr, within netip.Prefix) {
		if seen[a] || !within.Contains(a) {
			t.Fatalf("%s is taken, or not within %s", a, within)
		}
		seen[a] = true
	}
	for i := range mostServices {
		claim(clusterIP(i), fronts)
		for _, a := range endpointsOf(i) {
			claim(a, served)
		}
	}
	for i := range 30000 { // more than a run gives out
		claim(freshAddress(1+i), served)
	}
}
