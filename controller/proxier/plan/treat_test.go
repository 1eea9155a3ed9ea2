package plan

import (
	"fmt"
	"net/netip"
	"testing"
)

// What each origin gets at each kind of frontend, by policy and by which
// endpoints there are. cluster and local stand for the pools; + is masqueraded.
func TestTreat(t *testing.T) {
	near := Endpoint{Address: netip.MustParseAddrPort("10.244.1.10:80"), Weight: 1, Local: true}
	far := Endpoint{Address: netip.MustParseAddrPort("10.244.2.10:80"), Weight: 1}
	pools := map[string]Port{
		"both": {Cluster: []Endpoint{near, far}, Local: []Endpoint{near}},
		"far":  {Cluster: []Endpoint{far}},
		"none": {},
	}
	plain := Settings{}
	detecting := Settings{Detect: Detect{Mode: DetectCIDRs, CIDRs: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")}}}
	all := Settings{MasqueradeAll: true, Detect: detecting.Detect}
	for _, c := range []struct {
		name     string
		settings Settings
		kind     Kind
		local    bool
		pools    string
		want     [3]string // Elsewhere, LocalPod, ThisNode
	}{
		{"cluster IP", plain, ClusterIP, false, "both", [3]string{"cluster", "cluster", "cluster"}},
		{"cluster IP, pods known", detecting, ClusterIP, false, "both", [3]string{"cluster+", "cluster", "cluster+"}},
		{"cluster IP, masquerade all", all, ClusterIP, false, "both", [3]string{"cluster+", "cluster+", "cluster+"}},
		{"cluster IP, local", detecting, ClusterIP, true, "both", [3]string{"local+", "local", "local+"}},
		{"cluster IP, local, none here", detecting, ClusterIP, true, "far", [3]string{"drop", "drop", "drop"}},
		{"cluster IP, local, none at all", plain, ClusterIP, true, "none", [3]string{"reject", "reject", "reject"}},
		{"node port", detecting, NodePort, false, "both", [3]string{"cluster+", "cluster+", "cluster+"}},
		{"node port, none", detecting, NodePort, false, "none", [3]string{"reject", "reject", "reject"}},
		{"node port, local", detecting, NodePort, true, "both", [3]string{"local", "cluster", "cluster+"}},
		{"node port, local, pods not known", plain, NodePort, true, "both", [3]string{"local", "local", "cluster+"}},
		{"node port, local, none here", detecting, NodePort, true, "far", [3]string{"drop", "cluster", "cluster+"}},
		{"node port, local, none here, pods not known", plain, NodePort, true, "far", [3]string{"drop", "drop", "cluster+"}},
		{"load balancer, local, none at all", detecting, LoadBalancerIP, true, "none", [3]string{"reject", "reject", "reject"}},
		{"external IP, local, masquerade all", all, ExternalIP, true, "both", [3]string{"local", "cluster", "cluster+"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := pools[c.pools]
			port.Family = IPv4
			for o, want := range c.want {
				got := c.settings.Treat(&port, Frontend{Kind: c.kind, Local: c.local}, Origin(o))
				if text := brief(got, &port); text != want {
					t.Errorf("origin %d: %s, want %s", o, text, want)
				}
			}
		})
	}
}

func brief(t Treatment, p *Port) string {
	switch {
	case t.Verdict == Reject && !t.Masquerade:
		return "reject"
	case t.Verdict == Drop && !t.Masquerade:
		return "drop"
	case t.Verdict != Serve:
		return fmt.Sprintf("%+v", t)
	}
	pool, want := "cluster", p.Cluster
	if t.Local {
		pool, want = "local", p.Local
	}
	if len(want) != len(t.Pool) || len(want) == 0 {
		return fmt.Sprintf("%+v", t)
	}
	if t.Masquerade {
		pool += "+"
	}
	return pool
}

// CIDRs of one family say nothing of the other.
func TestDetectWorks(t *testing.T) {
	d := Detect{Mode: DetectCIDRs, CIDRs: []netip.Prefix{netip.MustParsePrefix("fd00::/16")}}
	if d.Works(IPv4) || !d.Works(IPv6) {
		t.Errorf("IPv4 %v, IPv6 %v", d.Works(IPv4), d.Works(IPv6))
	}
	if (Detect{}).Works(IPv4) || !(Detect{Mode: DetectBridge, Interface: "cni0"}).Works(IPv4) {
		t.Error("nothing works, or a bridge does not")
	}
}

func TestLoopback(t *testing.T) {
	for text, want := range map[string][2]bool{
		"":               {true, true},
		"127.0.0.0/8":    {true, false},
		"0.0.0.0/0":      {true, false},
		"::1/128":        {false, true},
		"192.0.2.0/24":   {false, false},
		"127.0.0.128/25": {false, false},
	} {
		n := NodePorts{All: text == ""}
		if text != "" {
			n.Prefixes = []netip.Prefix{netip.MustParsePrefix(text)}
		}
		if got := [2]bool{n.Loopback(IPv4), n.Loopback(IPv6)}; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
