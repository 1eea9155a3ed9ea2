package lab

import (
	"net/netip"
	"testing"
	"time"
)

// A namespace outside of the lab is reached by the edge, and by nobody else.
func TestReach(t *testing.T) {
	needRoot(t)
	w := network(t)
	n, err := newNamespace("far")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"address", "add", "10.9.0.1/32", "dev", "lo"}} {
		if _, err := n.Run("", "ip", args...); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Reach(n, "10.9.0.0/30", 7); err != nil {
		t.Fatal(err)
	}
	if err := w.Echo(n, "10.9.0.1", 8080); err != nil {
		t.Fatal(err)
	}
	r := Probe{From: w.Edge, Network: "tcp", To: netip.MustParseAddrPort("10.9.0.1:8080"), Wait: 5 * time.Second}.Send()
	if r.Outcome != Answered || r.Source.Addr().String() != "172.31.7.2" {
		t.Errorf("%v", r)
	}
}
