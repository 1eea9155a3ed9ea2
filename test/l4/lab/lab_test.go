package lab

import (
	"net/netip"
	"os"
	"testing"
	"time"
)

func TestNetwork(t *testing.T) {
	needRoot(t)
	w := network(t)
	for at, n := range map[string]*Namespace{
		P14: w.P1, P16: w.P1, P24: w.P2, P26: w.P2, N2A4: w.N2, N2B4: w.N2, N2A6: w.N2, N2B6: w.N2,
	} {
		if err := w.Echo(n, at, 8080); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Echo(w.World, "::", 80); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		from    *Namespace
		source  string
		to      string
		outcome Outcome
		sees    string
	}{
		{"client to pod", w.Client, "", P14 + ":8080", Answered, Client4},
		{"client's further address to pod", w.Client, "203.0.113.8", P14 + ":8080", Answered, "203.0.113.8"},
		{"client to pod, IPv6", w.Client, "", "[" + P16 + "]:8080", Answered, Client6},
		{"pod to its neighbour", w.P1, "", P24 + ":8080", Answered, P14},
		{"pod to its neighbour, IPv6", w.P1, "", "[" + P26 + "]:8080", Answered, P16},
		{"pod to pod of the second node", w.P1, "", N2B4 + ":8080", Answered, P14},
		{"pod of the second node to pod, IPv6", w.N2, N2A6, "[" + P16 + "]:8080", Answered, N2A6},
		{"second node to pod", w.N2, "", P14 + ":8080", Answered, N24},
		{"edge to pod", w.Edge, "", P14 + ":8080", Answered, "10.244.1.1"},
		{"edge to the second node's pod", w.Edge, "", N2A4 + ":8080", Answered, Edge4},
		{"edge to the world", w.Edge, "", "10.96.0.1:80", Answered, Edge4},
		{"edge to the world, IPv6", w.Edge, "", "[fd00:10:96::1]:80", Answered, Edge6},
		{"client to the world", w.Client, "", "198.18.0.1:80", Answered, Client4},
		{"second node to the world, IPv6", w.N2, "", "[fd00:10:96::1]:80", Answered, N26},
		{"a port without a server", w.Client, "", P14 + ":8081", Refused, ""},
	} {
		for _, network := range []string{"tcp", "udp"} {
			p := Probe{From: c.from, Network: network, To: netip.MustParseAddrPort(c.to), Wait: 5 * time.Second}
			if c.source != "" {
				p.Source = netip.MustParseAddr(c.source)
			}
			r := p.Send()
			if r.Outcome != c.outcome || c.sees != "" && (r.Source.Addr().String() != c.sees || r.Endpoint != p.To) {
				t.Errorf("%s, %s: %v; want it %v, with source %q", c.name, network, r, c.outcome, c.sees)
			}
		}
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("not root, and CI must run this")
	}
	t.Skip("reason: network namespaces need root: run the tests as root")
}

func network(t *testing.T) *Network {
	t.Helper()
	w, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}
