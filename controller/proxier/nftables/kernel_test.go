package nftables

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier"
	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

var _ proxier.Backend = (*Backend)(nil)

// private moves a test to a network namespace of its own. Its thread is never
// given back, and ends with the test.
func private(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		cannot(t, "not root: run the tests as root, or in a container with CAP_NET_ADMIN and CAP_SYS_ADMIN")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		cannot(t, "no network namespaces: "+err.Error())
	}
	if err := Supported(t.Context()); err != nil {
		cannot(t, err.Error())
	}
}

// cannot skips a test, but where all is expected to run.
func cannot(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("this has to run in CI: " + reason)
	}
	t.Skip("reason: " + reason)
}

func backend(t testing.TB) *Backend {
	t.Helper()
	b, err := New(Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func bring(t testing.TB, b *Backend, p *plan.Plan) {
	t.Helper()
	if err := b.Sync(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// nft runs nft in this thread's namespace: a child has its parent thread's.
func nft(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("nft")
	if err != nil {
		cannot(t, "no nft: install the package nftables")
	}
	c := exec.Command(path, args...)
	c.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("nft %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}

// listing is what nft says of our tables, with elements in order.
func listing(t testing.TB) string {
	t.Helper()
	var all []string
	for line := range strings.Lines(readable(t, nft(t, "", "list", "ruleset"))) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "elements = {"))
		line = strings.TrimSuffix(strings.TrimSuffix(line, "}"), ",")
		for element := range strings.SplitSeq(line, ", ") {
			all = append(all, strings.TrimSpace(element))
		}
	}
	return strings.Join(sortRuns(all), "\n")
}

var isElement = regexp.MustCompile(`^([0-9a-f]*[.:]|tcp \.|udp \.|sctp \.)`)

// sortRuns sorts rows of elements and of chains' heads, which the kernel gives
// in no order.
func sortRuns(lines []string) []string {
	for from := 0; from < len(lines); from++ {
		to := from
		for to < len(lines) && isElement.MatchString(lines[to]) {
			to++
		}
		slices.Sort(lines[from:to])
		from = max(from, to-1)
	}
	text := strings.Split(strings.Join(lines, "\n"), "\n}\n")
	for i, table := range text {
		blocks := strings.Split(table, "\n\n")
		slices.Sort(blocks)
		text[i] = strings.Join(blocks, "\n\n")
	}
	slices.Sort(text)
	return text
}

// olderThan107 says that nft can't read a map that rules write to with a key of
// more than 16 bytes: it gives the key four registers whatever its length.
func olderThan107(t testing.TB) bool {
	out := nft(t, "", "--version")
	return strings.Contains(out, "v0.") || regexp.MustCompile(`v1\.0\.[0-6] `).MatchString(out)
}

// readable leaves out what an old nft can't read.
func readable(t testing.TB, text string) string {
	if !olderThan107(t) {
		return text
	}
	lines := slices.Collect(strings.Lines(text))
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool {
		return strings.Contains(l, "update @") && strings.Contains(l, "ip6 ")
	}), "")
}

func TestKernelHoldsWhatRenderSays(t *testing.T) {
	for name, p := range examples() {
		t.Run(name, func(t *testing.T) {
			private(t)
			b := backend(t)
			bring(t, b, p)
			got := listing(t)
			var text bytes.Buffer
			if err := Render(&text, p, Options{}); err != nil {
				t.Fatal(err)
			}
			nft(t, "flush ruleset\n"+readable(t, text.String()), "-f", "-")
			if diff := cmp.Diff(listing(t), got); diff != "" {
				t.Errorf("nft -f of the rendered text and Sync differ (-text +Sync):\n%s", diff)
			}
		})
	}
}

func TestListingIsReadAgain(t *testing.T) {
	for name, p := range examples() {
		t.Run(name, func(t *testing.T) {
			private(t)
			bring(t, backend(t), p)
			text := readable(t, nft(t, "", "list", "ruleset"))
			nft(t, "flush ruleset\n"+text, "-c", "-f", "-")
		})
	}
}

// mustBeWhole looks behind Intact's back.
func mustBeWhole(t *testing.T, b *Backend) {
	t.Helper()
	for _, h := range b.halves {
		whole, err := h.whole()
		if err != nil || !whole {
			chains, _ := h.conn.Chains(h.wire, h.table)
			t.Errorf("%s: chains differ (%v): %s", h.ip, err, cmp.Diff(h.chains, chains))
		}
		if same, err := h.same(); err != nil || !same {
			t.Errorf("%s: elements differ (%v)", h.ip, err)
		}
		if len(h.kernel) != 0 {
			t.Errorf("%s: %d sets are still unspoken for", h.ip, len(h.kernel))
		}
	}
}

func TestFromEachPlanToEach(t *testing.T) {
	private(t)
	all := examples()
	names := slices.Sorted(maps.Keys(all))
	b := backend(t)
	for _, from := range names {
		for _, to := range names {
			bring(t, b, all[from])
			mustBeWhole(t, b)
			p := *all[to]
			p.Settings = all[from].Settings
			if err := b.Apply(t.Context(), plainChanges(all[from], &p)); err != nil {
				t.Fatalf("%s to %s: %v", from, to, err)
			}
			mustBeWhole(t, b)
			if t.Failed() {
				t.Fatalf("from %s to %s", from, to)
			}
		}
	}
}

// plainChanges takes every port for changed.
func plainChanges(from, to *plan.Plan) []plan.Change {
	var all []plan.Change
	for id, p := range to.Ports {
		all = append(all, plan.Change{ID: id, Was: from.Ports[id], Is: p})
	}
	for id, p := range from.Ports {
		if to.Ports[id] == nil {
			all = append(all, plan.Change{ID: id, Was: p})
		}
	}
	return all
}

func TestRestartSendsNothing(t *testing.T) {
	for name, p := range examples() {
		t.Run(name, func(t *testing.T) {
			private(t)
			first := backend(t)
			bring(t, first, p)
			before := nft(t, "", "-a", "list", "ruleset")
			second := backend(t)
			bring(t, second, p)
			mustBeWhole(t, second)
			after := nft(t, "", "-a", "list", "ruleset")
			// Rules are always made anew, and say the same.
			rule := regexp.MustCompile(`(?m)^(\t\t.*) # handle \d+$`)
			if diff := cmp.Diff(rule.ReplaceAllString(before, "$1"), rule.ReplaceAllString(after, "$1")); diff != "" {
				t.Errorf("a second process changed what was there:\n%s", diff)
			}
		})
	}
}

func TestIntactSeesWhatOthersDo(t *testing.T) {
	for _, c := range []struct {
		name, nft string
		intact    bool
	}{
		{"nothing", "", true},
		{"another table", "add table ip other", true},
		{"a table is deleted", "delete table ip6 sallyport", false},
		{"a table is made anew", "delete table ip sallyport; add table ip sallyport", false},
		{"all is flushed", "flush ruleset", false},
		{"a hook is deleted", "delete chain ip sallyport output", false},
		{"rules are flushed", "flush chain ip sallyport dispatch", false},
		{"a whole table's rules are flushed", "flush table ip sallyport", false},
		{"a rule is added", "add rule ip sallyport dispatch accept", false},
		{"an element is deleted", "delete element ip sallyport services { 10.96.0.1 . tcp . 80 }", false},
		{"an element is added", "add element ip6 sallyport cluster-ips { 2001:db8::77 }", false},
		{"a map is flushed", "flush map ip sallyport endpoints", false},
		{"a rule is replaced", "replace rule ip sallyport output handle HANDLE drop", false},
		{"a policy is changed", "chain ip6 sallyport output { policy drop; }", false},
		{"a table is put to sleep", "add table ip sallyport { flags dormant; }", false},
		{"the marker is deleted", "delete chain ip sallyport MARKER", false},
		{"a chain with a set is added", "add chain ip sallyport x; add rule ip sallyport x tcp dport { 1, 2 } drop", false},
		{"a rule goes to a chain of others", "add chain ip sallyport x; insert rule ip sallyport output jump x", false},
		{"a rule with a set of others", "add set ip sallyport x { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }; " +
			"insert rule ip sallyport output ip daddr @x drop", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			private(t)
			b := backend(t)
			p := examples()["frontends"]
			bring(t, b, p)
			if got, err := b.Intact(t.Context()); err != nil || !got {
				t.Errorf("at first, Intact gives %t, %v", got, err)
			}
			pristine := sortLines(listing(t))
			b.lookedAt = b.lookedAt.Add(-lookEvery)
			text := strings.ReplaceAll(c.nft, "MARKER", b.halves[plan.IPv4].marker(&p.Settings))
			handle := regexp.MustCompile(`jump dispatch # handle (\d+)`).FindStringSubmatch(nft(t, "", "-a", "list", "chain", "ip", "sallyport", "output"))
			nft(t, strings.ReplaceAll(text, "HANDLE", handle[1]), "-f", "-")
			if got, err := b.Intact(t.Context()); err != nil || got != c.intact {
				t.Errorf("Intact gives %t, %v", got, err)
			}
			if got, err := b.Intact(t.Context()); err != nil || got != c.intact {
				t.Errorf("asked again, Intact gives %t, %v", got, err)
			}
			bring(t, b, p)
			mustBeWhole(t, b)
			if got, err := b.Intact(t.Context()); err != nil || !got {
				t.Errorf("after Sync, Intact gives %t, %v", got, err)
			}
			if diff := cmp.Diff(pristine, sortLines(listing(t))); diff != "" {
				t.Errorf("Sync left something behind (-before +after):\n%s", diff)
			}
		})
	}
}

// sortLines makes listings equal that differ in the order of tables.
func sortLines(text string) []string {
	lines := slices.Collect(strings.Lines(strings.ReplaceAll(text, "table ip other {", "")))
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" || l == "}" })
	slices.Sort(lines)
	return lines
}

const foreign = `
table ip other {
	set s { type ipv4_addr; elements = { 192.0.2.1 } }
	chain sallyport { type nat hook prerouting priority -100; policy accept; ip saddr @s counter accept; }
}
table inet sallyport {
	chain services { type filter hook input priority 0; policy accept; }
}
`

func TestForeignTablesAreLeftAlone(t *testing.T) {
	private(t)
	nft(t, foreign, "-f", "-")
	before := nft(t, "", "-a", "list", "ruleset")
	b := backend(t)
	all := examples()
	bring(t, b, all["frontends"])
	if err := b.Apply(t.Context(), plainChanges(all["frontends"], all["affinity"])); err != nil {
		t.Fatal(err)
	}
	if err := Cleanup(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, nft(t, "", "-a", "list", "ruleset")); diff != "" {
		t.Errorf("what others have is not as it was:\n%s", diff)
	}
	if err := Cleanup(t.Context()); err != nil {
		t.Errorf("Cleanup of nothing: %v", err)
	}
}

func TestAnotherVersionIsReplaced(t *testing.T) {
	private(t)
	nft(t, `table ip sallyport {
		map services { type ipv4_addr : verdict; elements = { 10.0.0.1 : goto old } }
		chain old { accept; }
		chain prerouting { type nat hook prerouting priority 7; policy accept; ip daddr vmap @services; }
	}`, "-f", "-")
	b := backend(t)
	bring(t, b, examples()["local"])
	mustBeWhole(t, b)
}

// A picky kernel refuses batches in which some bytes are.
type picky struct {
	*wire.Conn
	bytes []byte
}

func (p picky) Commit(b *wire.Batch, generation uint32) error {
	if bytes.Contains(b.Bytes(), p.bytes) {
		return unix.EINVAL
	}
	return p.Conn.Commit(b, generation)
}

func TestOneRefusedPortHurtsNoOther(t *testing.T) {
	private(t)
	b := backend(t)
	bad := builder(plan.IPv4).port("bad", builder(plan.IPv4).clusterIP(777, 80))
	bad.Cluster = builder(plan.IPv4).pods(1)
	b.link.kernel = picky{b.link.conn, bad.Frontends[0].Address.AsSlice()}
	good := examples()["frontends"]
	p := planOf(good.Settings, bad)
	for id, port := range good.Ports {
		p.Ports[id] = port
	}
	for _, how := range []struct {
		name string
		do   func() error
	}{
		{"cold Sync", func() error { return b.Sync(t.Context(), p) }},
		{"Sync again", func() error { return b.Sync(t.Context(), p) }},
		{"Apply", func() error { return b.Apply(t.Context(), plainChanges(planOf(good.Settings), p)) }},
	} {
		var refused plan.Refused
		if err := how.do(); !errors.As(err, &refused) || len(refused) != 1 || refused[bad.ID] == nil {
			t.Fatalf("%s: %v, want %s alone to be refused", how.name, err, bad.ID)
		}
		mustBeWhole(t, b)
		if n := len(b.halves[plan.IPv4].ports) + len(b.halves[plan.IPv6].ports); n != len(good.Ports) {
			t.Errorf("%s: %d ports are programmed, not %d", how.name, n, len(good.Ports))
		}
	}
}

func TestSomebodyElsesChangeDoesNotStopUs(t *testing.T) {
	private(t)
	b := backend(t)
	all := examples()
	bring(t, b, all["empty"])
	nft(t, "add table ip other", "-f", "-")
	if err := b.Apply(t.Context(), plainChanges(all["empty"], all["frontends"])); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Intact(context.Background()); err != nil || !got {
		t.Errorf("Intact gives %t, %v", got, err)
	}
}

// Two proxiers of one node, one of them for Services with another proxy's name,
// know nothing of each other.
func TestTwoNamesAreTwoTables(t *testing.T) {
	private(t)
	plain := backend(t)
	bring(t, plain, examples()["frontends"])
	before := listing(t)
	named, err := New(Options{Name: "edge.example-1"})
	if err != nil {
		t.Fatal(err)
	}
	defer named.Close()
	bring(t, named, examples()["affinity"])
	mustBeWhole(t, named)
	mustBeWhole(t, plain)
	if text := nft(t, "", "list", "table", "ip", "sallyport-for-edge.example-1"); !olderThan107(t) {
		nft(t, text, "-c", "-f", "-")
	}
	if err := CleanupOne(t.Context(), "edge.example-1"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, listing(t)); diff != "" {
		t.Errorf("the table without a name is not as it was:\n%s", diff)
	}
	bring(t, named, examples()["affinity"])
	nft(t, "add table ip sallyport-userspace; add table ip sallyportx; add table inet sallyport", "-f", "-")
	if err := Cleanup(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(nft(t, "", "list", "tables")); len(got) != 9 {
		t.Errorf("after Cleanup the tables are %q, want those of others", got)
	}
}

// What is deleted right after a Sync, before Intact has read back what was
// written, is seen too.
func TestIntactSeesWhatIsDeletedAtOnce(t *testing.T) {
	for _, what := range []string{"flush table ip sallyport", "flush chain ip sallyport dispatch", "delete chain ip6 sallyport output"} {
		private(t)
		b := backend(t)
		bring(t, b, examples()["frontends"])
		nft(t, what, "-f", "-")
		for range 2 {
			if got, err := b.Intact(t.Context()); err != nil || got {
				t.Errorf("%s: Intact gives %t, %v", what, got, err)
			}
		}
	}
}
