package ipvs

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func with(p *plan.Plan, change func(*plan.Settings)) *plan.Plan {
	change(&p.Settings)
	return p
}

func TestGolden(t *testing.T) {
	v6 := "[fd00:244:1::10]:8080"
	for name, p := range map[string]*plan.Plan{
		"empty":          planOf(),
		"kinds":          planOf(web(plan.IPv4, first, "10.244.2.10:8080"), web(plan.IPv6, v6)),
		"no-endpoints":   planOf(web(plan.IPv4), web(plan.IPv6)),
		"local":          planOf(externally(web(plan.IPv4, first, "10.244.2.10:8080"))),
		"local-nobody":   planOf(externally(web(plan.IPv4, "10.244.2.10:8080"))),
		"special":        planOf(special()),
		"taken":          planOf(web(plan.IPv4, first), twin()),
		"nothing-detect": with(planOf(web(plan.IPv4, first)), func(s *plan.Settings) { s.Detect = plan.Detect{} }),
		"masquerade-all": with(planOf(web(plan.IPv4, first)), func(s *plan.Settings) { s.MasqueradeAll, s.MasqueradeMark = true, 1 }),
		"bridge": with(planOf(web(plan.IPv4, first)), func(s *plan.Settings) {
			s.Detect = plan.Detect{Mode: plan.DetectBridge, Interface: "cni0"}
			s.NodePorts = plan.NodePorts{Prefixes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}
		}),
		"prefix": with(planOf(web(plan.IPv4, first)), func(s *plan.Settings) {
			s.Detect = plan.Detect{Mode: plan.DetectInterfacePrefix, Interface: "veth"}
			s.NodePorts = plan.NodePorts{Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
		}),
		"external-is-node": planOf(both("web", plan.IPv4, func(p *plan.Port) {
			p.Frontends, p.Cluster = []plan.Frontend{at(plan.ExternalIP, nodeIP, 8443)}, to(first)
		})),
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := Render(&b, p, Options{}); err != nil {
				t.Fatal(err)
			}
			golden(t, name, b.String())
		})
	}
}

// twin claims what web has.
func twin() []*plan.Port {
	return both("web2", plan.IPv4, func(p *plan.Port) {
		p.Frontends, p.Cluster = []plan.Frontend{at(plan.ClusterIP, "10.96.0.10", 80)}, to(second)
	})
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
