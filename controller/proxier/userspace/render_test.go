package userspace

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func frontend(kind plan.Kind, s string) plan.Frontend {
	a := netip.MustParseAddrPort(s)
	f := plan.Frontend{Kind: kind, Address: a.Addr(), Port: a.Port()}
	if kind == plan.NodePort {
		f.Address = netip.Addr{}
	}
	return f
}

func local(f plan.Frontend) plan.Frontend { f.Local = true; return f }

func from(f plan.Frontend, sources ...string) plan.Frontend {
	f.Sources = append([]netip.Prefix{}, prefixes(sources...)...)
	return f
}

func weighs(e plan.Endpoint, w uint16) plan.Endpoint { e.Weight = w; return e }

func planOf(s plan.Settings, ports ...*plan.Port) *plan.Plan {
	p := &plan.Plan{Settings: s, Ports: map[plan.ID]*plan.Port{}}
	for _, port := range ports {
		p.Ports[port.ID] = port
	}
	return p
}

// examples are plans with something of everything.
func examples() map[string]*plan.Plan {
	here, there := at("10.1.0.2:8080", true), at("10.1.1.2:8080", false)
	six := at("[fd00:1::2]:8080", true)
	everywhere := plan.Settings{NodePorts: plan.NodePorts{All: true}, MasqueradeMark: 0x4000}
	some := everywhere
	some.NodePorts = plan.NodePorts{Prefixes: prefixes("192.0.2.0/24", "127.0.0.0/8", "2001:db8:a::/48")}
	some.Detect = plan.Detect{Mode: plan.DetectCIDRs, CIDRs: prefixes("10.1.0.0/16", "fd00:1::/32")}
	bridge, prefix := everywhere, everywhere
	bridge.Detect = plan.Detect{Mode: plan.DetectBridge, Interface: "cni0"}
	prefix.Detect = plan.Detect{Mode: plan.DetectInterfacePrefix, Interface: "cali"}

	policies := port("policies", plan.TCP, plan.IPv4, []plan.Frontend{
		local(frontend(plan.ClusterIP, "10.96.0.3:80")), local(frontend(plan.NodePort, "0.0.0.0:30003")),
		local(frontend(plan.LoadBalancerIP, "198.51.100.3:80")), local(frontend(plan.ExternalIP, "203.0.113.3:80")),
	}, here, there)
	policies.Local = []plan.Endpoint{here}
	nobodyHere := port("nobody-here", plan.UDP, plan.IPv4, []plan.Frontend{
		local(frontend(plan.ClusterIP, "10.96.0.4:53")), local(frontend(plan.NodePort, "0.0.0.0:30004")),
	}, there)
	stays := port("stays", plan.TCP, plan.IPv4, []plan.Frontend{frontend(plan.ClusterIP, "10.96.0.5:80")}, here, there)
	stays.Affinity = 3 * time.Hour
	heavy := port("heavy", plan.TCP, plan.IPv4, []plan.Frontend{frontend(plan.ClusterIP, "10.96.0.6:80")}, weighs(here, 3), there)
	heavy.Balance = plan.Random
	maglev := port("maglev", plan.TCP, plan.IPv4, []plan.Frontend{frontend(plan.ClusterIP, "10.96.0.7:80")}, here, there)
	maglev.Balance = plan.Maglev
	limited := port("limited", plan.TCP, plan.IPv4, []plan.Frontend{
		frontend(plan.ClusterIP, "10.96.0.8:80"), from(frontend(plan.LoadBalancerIP, "198.51.100.8:80"), "10.0.0.0/8", "203.0.113.7/32"),
	}, here)
	limited6 := port("limited", plan.TCP, plan.IPv6, []plan.Frontend{
		from(frontend(plan.LoadBalancerIP, "[2001:db8:1b::8]:80"), "2001:db8:e::/64"), from(frontend(plan.LoadBalancerIP, "[2001:db8:1b::9]:80")),
	}, six)

	return map[string]*plan.Plan{
		"nothing": planOf(everywhere),
		"frontends": planOf(everywhere,
			port("web", plan.TCP, plan.IPv4, []plan.Frontend{
				frontend(plan.ClusterIP, "10.96.0.1:80"), frontend(plan.NodePort, "0.0.0.0:30001"),
				frontend(plan.LoadBalancerIP, "198.51.100.1:80"), frontend(plan.ExternalIP, "203.0.113.1:80"),
			}, here, there),
			port("web", plan.TCP, plan.IPv6, []plan.Frontend{
				frontend(plan.ClusterIP, "[fd00:96::1]:80"), frontend(plan.NodePort, "[::]:30001"),
			}, six),
			port("web", plan.UDP, plan.IPv4, []plan.Frontend{frontend(plan.ClusterIP, "10.96.0.1:80")}, here),
			port("web", plan.SCTP, plan.IPv4, []plan.Frontend{frontend(plan.ClusterIP, "10.96.0.1:80")}, here),
			port("empty", plan.TCP, plan.IPv4, []plan.Frontend{frontend(plan.ClusterIP, "10.96.0.2:80"), frontend(plan.NodePort, "0.0.0.0:30002")})),
		"policies": planOf(some, policies, nobodyHere),
		"balances": planOf(bridge, stays, heavy, maglev),
		"sources":  planOf(prefix, limited, limited6),
	}
}

func TestGolden(t *testing.T) {
	for name, p := range examples() {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := Render(&got, p); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".nft")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got.String()); d != "" {
				t.Errorf("run go test -run Golden -update where this is right (-want +got):\n%s", d)
			}
		})
	}
}

// What Render prints and what Sync programs are two encodings of one thing. The
// kernel and nft tell whether they are the same.
func TestRenderIsWhatIsProgrammed(t *testing.T) {
	needsNetwork(t)
	nft, err := exec.LookPath("nft")
	if err != nil {
		unavailable(t, "reason: the program nft is missing: install nftables")
	}
	list := func() string {
		t.Helper()
		var all []byte
		for _, f := range []string{"ip", "ip6"} {
			out, err := exec.Command(nft, "list", "table", f, tableName).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			all = append(all, out...)
		}
		return string(all)
	}
	for name, p := range examples() {
		t.Run(name, func(t *testing.T) {
			var tables []table
			for _, f := range families {
				tables = append(tables, table{f, chains(f, &p.Settings, marksOf(DefaultMark)), unique(wanted(f, p))})
			}
			if err := (netfilter{}).replace(tables); err != nil {
				t.Fatal(err)
			}
			programmed := list()
			clean(t)
			var text bytes.Buffer
			if err := Render(&text, p); err != nil {
				t.Fatal(err)
			}
			c := exec.Command(nft, "-f", "-")
			c.Stdin = &text
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if d := cmp.Diff(sortedLines(programmed), sortedLines(list())); d != "" {
				t.Errorf("programmed, and rendered (-programmed +rendered):\n%s", d)
			}
			clean(t)
		})
	}
}
