package ipvs

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/proxier"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

var _ proxier.Backend = (*Backend)(nil)

func TestCheckScheduler(t *testing.T) {
	for _, good := range []string{"rr", "wrr", "lc", "wlc", "dh", "sh", "sed", "nq", "mh"} {
		if err := CheckScheduler(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "RR", "best", "lblc", "rr "} {
		if CheckScheduler(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// Names have to fit the kernel, and to differ.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for s := range sets {
		for _, f := range []plan.Family{plan.IPv4, plan.IPv6} {
			name := s.name(f)
			if len(name) > 31 || seen[name] {
				t.Errorf("set %q is too long or there twice", name)
			}
			seen[name] = true
			if got, family, ok := setOf(name); !ok || got != s || family != f {
				t.Errorf("set %q is read as %d of %v, %v", name, got, family, ok)
			}
		}
	}
	if len(deviceName) > 15 {
		t.Errorf("device %q is too long", deviceName)
	}
	s := settings()
	for _, table := range rulesOf(plan.IPv6, &s) {
		for _, c := range table.chains {
			if len(c) > 28 {
				t.Errorf("chain %q is too long", c)
			}
		}
	}
}

// A rule for a port would be one too many.
func TestRulesDoNotGrow(t *testing.T) {
	count := func(p *plan.Plan) int {
		var b strings.Builder
		renderRules(&b, &p.Settings)
		return strings.Count(b.String(), "\n")
	}
	if few, many := count(planOf()), count(planOf(special(), web(plan.IPv4, first))); few != many {
		t.Errorf("%d lines for no port, %d for many", few, many)
	}
}

func TestSources(t *testing.T) {
	s := server{netip.MustParseAddr("198.51.100.10"), 80, plan.TCP}
	s6 := server{netip.MustParseAddr("2001:db8::10"), 80, plan.TCP}
	for _, row := range []struct {
		s    server
		from string
		want []string
	}{
		{s, "192.0.2.0/24", []string{"198.51.100.10,tcp:80,192.0.2.0/24"}},
		{s, "192.0.2.7/32", []string{"198.51.100.10,tcp:80,192.0.2.7"}},
		{s, "192.0.2.7/24", []string{"198.51.100.10,tcp:80,192.0.2.0/24"}},
		{s, "0.0.0.0/0", []string{"198.51.100.10,tcp:80,0.0.0.0/1", "198.51.100.10,tcp:80,128.0.0.0/1"}},
		{s6, "::/0", []string{"2001:db8::10,tcp:80,::/1", "2001:db8::10,tcp:80,8000::/1"}},
		{s6, "2001:db8::7/128", []string{"2001:db8::10,tcp:80,2001:db8::7"}},
	} {
		var got []string
		for _, m := range ofSource(row.s, netip.MustParsePrefix(row.from)) {
			got = append(got, m.element)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.from, diff)
		}
	}
}

func TestFailedLine(t *testing.T) {
	for text, want := range map[string]int{
		"ipset: exit status 1: ipset v7.17: Error in line 3: The value is invalid": 2,
		"Error in line 1: x": 0, "Error in line 9: x": -1, "Error in line 0: x": -1,
		"ipset v7.17: Cannot open session to kernel.": -1,
	} {
		if got := failedLine(errors.New(text), 4); got != want {
			t.Errorf("%q: line %d, want %d", text, got, want)
		}
	}
	if failedLine(nil, 4) != -1 {
		t.Error("no error has a line")
	}
}

func TestReuseIsSlow(t *testing.T) {
	for release, want := range map[string]bool{
		"3.10.0-1160.el7": false, "4.0.9": false, "4.1.0": true, "4.19.0-21-amd64": true,
		"5.4.0-150-generic": true, "5.8.18": true, "5.9.0": false, "6.1.176": false, "": false, "x": false,
	} {
		if got := reuseIsSlow(release); got != want {
			t.Errorf("%q: %v, want %v", release, got, want)
		}
	}
}

func TestSysctls(t *testing.T) {
	all := func(ipv6, arp bool, release string) string {
		var paths []string
		for _, s := range sysctls(ipv6, arp, release) {
			paths = append(paths, s.path+"="+s.value)
		}
		return strings.Join(paths, " ")
	}
	if got := all(false, false, "6.1.0"); strings.Contains(got, "ipv6") || strings.Contains(got, "arp") || strings.Contains(got, "reuse") {
		t.Errorf("sets %s", got)
	}
	got := all(true, true, "5.4.0")
	for _, want := range []string{"ipv6/conf/all/forwarding=1", "arp_ignore=1", "arp_announce=2", "conn_reuse_mode=0", "vs/conntrack=1"} {
		if !strings.Contains(got, want) {
			t.Errorf("doesn't set %s", want)
		}
	}
}

// What is somebody else's stays in the text that takes ours away.
func TestRemoval(t *testing.T) {
	saved := `# Generated
*nat
:PREROUTING ACCEPT [1:2]
:SALLYPORT-IPVS-PRE - [0:0]
:SALLYPORT-KEPT - [0:0]
-A PREROUTING -j SALLYPORT-IPVS-PRE
-A PREROUTING -s 10.0.0.0/8 -m comment --comment "-j SALLYPORT-IPVS-PRE" -j SALLYPORT-KEPT
-A SALLYPORT-IPVS-PRE -j SALLYPORT-IPVS-POD
COMMIT
`
	want := "*nat\n:SALLYPORT-IPVS-PRE - [0:0]\n-D PREROUTING -j SALLYPORT-IPVS-PRE\n-X SALLYPORT-IPVS-PRE\nCOMMIT\n"
	if diff := cmp.Diff(want, removal("nat", saved)); diff != "" {
		t.Errorf("removal (-want +got):\n%s", diff)
	}
	if got := removal("nat", "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j KUBE\nCOMMIT\n"); got != "" {
		t.Errorf("removes what isn't ours: %s", got)
	}
}

// A port that needs a virtual server of another's is refused; the first by name
// has it.
func TestWishRefusesTwins(t *testing.T) {
	s := settings()
	v := view{settings: &s, scheduler: "rr"}
	next := map[plan.ID]*piece{}
	for _, p := range slices.Concat(web(plan.IPv4, first), twin()) {
		next[p.ID] = v.compile(p)
	}
	w := newWish()
	refused := w.replace(next, newTouched())
	if len(refused) != 2 {
		t.Fatalf("refused %v, want two", refused)
	}
	for id := range refused {
		if id.Name != "web2" {
			t.Errorf("%v is refused", id)
		}
		if w.pieces[id] != nil {
			t.Errorf("%v is refused and there", id)
		}
	}
	gone := map[plan.ID]*piece{}
	for id := range next {
		gone[id] = nil
	}
	w.replace(gone, newTouched())
	if len(w.owners)+len(w.users)+len(w.pieces) > 0 {
		t.Errorf("something is left: %v", w)
	}
}

// Where ipvs can't be, the reason is one line and Cleanup does nothing.
func TestNotSupported(t *testing.T) {
	if os.Geteuid() == 0 && probe(t.Context(), "rr") == nil {
		t.Skip("reason: this kernel has ipvs: TestKernelSupported asks there")
	}
	err := Supported(context.Background())
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want one line", err)
	}
	if _, err := New(Options{}); err == nil {
		t.Error("New succeeds")
	}
}
