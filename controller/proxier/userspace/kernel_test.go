package userspace

import (
	"errors"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

func clean(t *testing.T) {
	t.Helper()
	if err := Cleanup(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// unique has each element once: several ports want the one of a ClusterIP.
func unique(all []element) []element {
	by := map[slot]element{}
	for _, e := range all {
		by[e.slot] = e
	}
	return slices.Collect(maps.Values(by))
}

// sortedLines makes lists comparable whose elements come in the order of a hash.
func sortedLines(s string) []string {
	var all []string
	for _, line := range strings.Split(s, "\n") {
		line = strings.TrimSpace(line)
		line = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(line, "elements = { "), " }"), ",")
		all = append(all, strings.Split(line, ", ")...)
	}
	slices.Sort(all)
	return all
}

func nft(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("nft")
	if err != nil {
		unavailable(t, "reason: the program nft is missing: install nftables")
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("nft %v: %v: %s", args, err, out)
	}
	return string(out)
}

func backend(t *testing.T) *Backend {
	t.Helper()
	needsNetwork(t)
	if err := Supported(t.Context()); err != nil {
		unavailable(t, "reason: "+err.Error())
	}
	b, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if err := Cleanup(t.Context()); err != nil && !errors.Is(err, t.Context().Err()) {
			t.Error(err)
		}
	})
	return b
}

func intactNow(t *testing.T, b *Backend) bool {
	t.Helper()
	ok, err := b.Intact(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func elementsNow(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, f := range []string{"ip", "ip6"} {
		for _, name := range []string{"map " + f + " " + tableName + " services", "map " + f + " " + tableName + " node-ports", "set " + f + " " + tableName + " cluster-ips"} {
			for _, line := range sortedLines(nft(t, append([]string{"list"}, strings.Fields(name)...)...)) {
				if strings.Contains(line, "goto") || strings.Contains(line, "drop") || netipish(line) {
					all = append(all, line)
				}
			}
		}
	}
	return all
}

func netipish(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

func TestSupportedLeavesNothing(t *testing.T) {
	needsNetwork(t)
	before := nft(t, "list", "ruleset")
	if err := Supported(t.Context()); err != nil {
		unavailable(t, "reason: "+err.Error())
	}
	if after := nft(t, "list", "ruleset"); after != before {
		t.Errorf("left behind: %s", after)
	}
}

func TestForeignIsUntouched(t *testing.T) {
	b := backend(t)
	nft(t, "add", "table", "ip", "foreign")
	nft(t, "add", "chain", "ip", "foreign", "services")
	rule := netlink.NewRule()
	rule.Family, rule.Table, rule.Priority, rule.Mark = netlink.FAMILY_V4, 99, 500, 7
	if err := netlink.RuleAdd(rule); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nft(t, "delete", "table", "ip", "foreign")
		if err := netlink.RuleDel(rule); err != nil {
			t.Error(err)
		}
	})
	before := nft(t, "list", "ruleset")
	p := examples()["policies"]
	if err := b.Sync(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if !intactNow(t, b) {
		t.Error("after Sync it is not intact")
	}
	clean(t)
	if intactNow(t, b) {
		t.Error("after Cleanup it is intact")
	}
	if d := cmp.Diff(before, nft(t, "list", "ruleset")); d != "" {
		t.Errorf("Cleanup left or took something (-before +after):\n%s", d)
	}
	rules, err := netlink.RuleListFiltered(netlink.FAMILY_V4, &netlink.Rule{Table: 99}, netlink.RT_FILTER_TABLE)
	if err != nil || len(rules) != 1 {
		t.Errorf("a foreign ip rule: %v, %v", rules, err)
	}
	clean(t) // with nothing there it is no error
}

func TestIntactSeesWhatIsGone(t *testing.T) {
	b := backend(t)
	for name, spoil := range map[string]func(){
		"table": func() { nft(t, "delete", "table", "ip6", tableName) },
		"rules": func() { nft(t, "flush", "chain", "ip", tableName, "prerouting") },
		"ip rule": func() {
			if err := undivert(plan.IPv4); err != nil {
				t.Error(err)
			}
		},
	} {
		if err := b.Sync(t.Context(), examples()["policies"]); err != nil {
			t.Fatal(err)
		}
		if !intactNow(t, b) {
			t.Fatalf("%s: not intact before", name)
		}
		spoil()
		if intactNow(t, b) {
			t.Errorf("%s: intact without it", name)
		}
	}
}

func TestApplyIsAsSync(t *testing.T) {
	b := backend(t)
	here := at("10.1.0.2:8080", true)
	web := func(endpoints ...plan.Endpoint) *plan.Port {
		return port("web", plan.TCP, plan.IPv4, []plan.Frontend{frontend(plan.ClusterIP, "10.96.0.1:80"), frontend(plan.NodePort, "0.0.0.0:30001")}, endpoints...)
	}
	admin := port("web", plan.TCP, plan.IPv4, []plan.Frontend{frontend(plan.ClusterIP, "10.96.0.1:81")}, here)
	admin.Port = "admin"
	// takes has the node port that web had.
	takes := port("takes", plan.TCP, plan.IPv4, []plan.Frontend{frontend(plan.ClusterIP, "10.96.0.2:80"), frontend(plan.NodePort, "0.0.0.0:30001")}, here)
	webWithout := port("web", plan.TCP, plan.IPv4, []plan.Frontend{frontend(plan.ClusterIP, "10.96.0.1:80")})
	settings := plan.Settings{NodePorts: plan.NodePorts{All: true}}
	if err := b.Sync(t.Context(), planOf(settings)); err != nil {
		t.Fatal(err)
	}
	was := map[plan.ID]*plan.Port{}
	for i, change := range [][]*plan.Port{
		{web(here)}, {admin}, {web()}, {web(here)}, {webWithout, takes},
		{takes, web(here)}, // refused by no kernel: the frontends are the last one's
	} {
		var changes []plan.Change
		for _, p := range change {
			changes = append(changes, plan.Change{ID: p.ID, Was: was[p.ID], Is: p})
			was[p.ID] = p
		}
		if err := b.Apply(t.Context(), changes); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if i == 5 {
			break
		}
		got := elementsNow(t)
		fresh := planOf(settings, slices.Collect(maps.Values(was))...)
		if err := b.Sync(t.Context(), fresh); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(elementsNow(t), got); d != "" {
			t.Errorf("%d: Sync and Apply differ (-sync +apply):\n%s", i, d)
		}
	}
	for id := range was {
		if err := b.Apply(t.Context(), []plan.Change{{ID: id, Was: was[id]}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := elementsNow(t); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
	if got, err := b.Connections(t.Context()); len(got) > 0 || err != nil {
		t.Errorf("counts of ports that are gone: %v, %v", got, err)
	}
}

// bad refuses all batches with an element of a port number.
type bad struct {
	kernel
	port uint16
}

var errBad = errors.New("no")

func (b bad) has(all []element) bool {
	return slices.ContainsFunc(all, func(e element) bool { return e.port == b.port })
}

func (b bad) replace(all []table) error {
	for _, t := range all {
		if b.has(t.is) {
			return errBad
		}
	}
	return b.kernel.replace(all)
}

func (b bad) change(gone, come []element) error {
	if b.has(come) {
		return errBad
	}
	return b.kernel.change(gone, come)
}

func TestRefused(t *testing.T) {
	b := backend(t)
	b.kernel = bad{b.kernel, 666}
	here := at("10.1.0.2:8080", true)
	var ports []*plan.Port
	for _, f := range []string{"10.96.0.1:80", "10.96.0.2:80", "10.96.0.2:666", "10.96.0.3:80", "10.96.0.4:80"} {
		ports = append(ports, port(f, plan.TCP, plan.IPv4, []plan.Frontend{clusterIP(f)}, here))
	}
	p := planOf(plan.Settings{}, ports...)
	worst := ports[2].ID
	check := func(err error) {
		t.Helper()
		var refused plan.Refused
		if !errors.As(err, &refused) || len(refused) != 1 || !errors.Is(refused[worst], errBad) {
			t.Fatalf("got %v, want %s alone to be refused", err, worst)
		}
		if got := elementsNow(t); len(got) != 8 {
			t.Errorf("in the kernel: %q, want four addresses with a port each", got)
		}
		if b.ports.get(worst) != nil {
			t.Error("the proxy serves what the kernel refused")
		}
	}
	check(b.Sync(t.Context(), p))
	check(b.Sync(t.Context(), p))
	var changes []plan.Change
	for _, p := range ports {
		changes = append(changes, plan.Change{ID: p.ID})
	}
	if err := b.Apply(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	for i := range changes {
		changes[i].Is = ports[i]
	}
	check(b.Apply(t.Context(), changes))
	if err := b.Apply(t.Context(), nil); err != nil {
		t.Error(err)
	}
	clean(t)
	b.kernel = netfilter{}
	err := b.Apply(t.Context(), []plan.Change{{ID: ports[0].ID, Was: ports[0]}})
	if err == nil || errors.As(err, &plan.Refused{}) {
		t.Errorf("a table that is gone: %v, want an error that isn't a port's", err)
	}
}

func TestSCTPIsRefused(t *testing.T) {
	b := backend(t)
	p := examples()["frontends"]
	err := b.Sync(t.Context(), p)
	var refused plan.Refused
	if !errors.As(err, &refused) || len(refused) != 1 {
		t.Fatalf("got %v, want the SCTP port to be refused", err)
	}
	if !strings.Contains(nft(t, "list", "map", "ip", tableName, "services"), "10.96.0.1 . sctp . 80 : goto refuse") {
		t.Error("SCTP to a ClusterIP isn't refused at once")
	}
}

// Without IPv6 on lo there is no way to the proxy by it, and IPv4 is served all
// the same; when IPv6 comes, the next Sync serves it.
func TestWithoutIPv6(t *testing.T) {
	b := backend(t)
	const path = "/proc/sys/net/ipv6/conf/all/disable_ipv6"
	set := func(value string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			unavailable(t, "reason: IPv6 is missing already: "+err.Error())
		}
	}
	set("1")
	t.Cleanup(func() { set("0") })
	p := examples()["policies"]
	p.Ports = maps.Clone(p.Ports)
	six := port("six", plan.TCP, plan.IPv6, []plan.Frontend{clusterIP("[fd00:96::1]:80")}, at("[fd00::1]:80", false))
	p.Ports[six.ID] = six
	if err := b.Sync(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if !intactNow(t, b) {
		t.Error("not intact without IPv6")
	}
	if err := b.Apply(t.Context(), []plan.Change{{ID: six.ID, Was: six}, {ID: six.ID, Is: six}}); err != nil {
		t.Error(err)
	}
	if !b.families[plan.IPv6].absent {
		t.Error("IPv6 is there without being there")
	}
	set("0")
	if err := b.Sync(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(nft(t, "list", "map", "ip6", tableName, "services"), "fd00:96::1") {
		t.Error("IPv6 came back and isn't served")
	}
}
