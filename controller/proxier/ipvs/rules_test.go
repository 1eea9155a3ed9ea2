package ipvs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// lacks skips a test, or fails it where nothing may be missing.
func lacks(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip("reason: " + why)
}

// Both flavours of iptables take the rules, find them, miss what is deleted and
// give back what was there before. This needs no ipvs, so that it runs on this
// kernel, in a network namespace that is gone with its thread.
func TestBothFlavours(t *testing.T) {
	if os.Geteuid() != 0 {
		lacks(t, "not root: run it as root, for a network namespace")
	}
	for _, program := range []string{"ipset", "iptables-legacy-restore", "iptables-nft-restore"} {
		if _, err := exec.LookPath(program); err != nil {
			lacks(t, "no "+program+": install ipset and iptables")
		}
	}
	for _, v := range []flavour{legacy, nft} {
		for _, f := range []plan.Family{plan.IPv4, plan.IPv6} {
			t.Run(fmt.Sprintf("%s %v", v, f), func(t *testing.T) {
				runtime.LockOSThread() // and never unlocked: the thread ends with the test
				if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
					t.Fatal(err)
				}
				if _, err := v.save(t.Context(), run, f, "nat"); err != nil {
					lacks(t, "this kernel has no such iptables, which the modules ip_tables or nft_compat are: "+err.Error())
				}
				flavourHolds(t.Context(), t, v, f)
			})
		}
	}
}

func flavourHolds(ctx context.Context, t *testing.T, v flavour, f plan.Family) {
	t.Helper()
	if err := v.restore(ctx, run, f, "*nat\n:THEIRS - [0:0]\n-A PREROUTING -j THEIRS\nCOMMIT\n*filter\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n*mangle\nCOMMIT\n"); err != nil {
		t.Fatal(err)
	}
	before := tables(ctx, t, v, f)
	if err := createSets(ctx, run, []plan.Family{f}); err != nil {
		t.Fatal(err)
	}
	s := settings()
	rules := rulesOf(f, &s)
	for range 2 { // the second time, jumps are there
		if err := programRules(ctx, run, v, f, rules); err != nil {
			t.Fatal(err)
		}
		if !v.holds(ctx, run, f, rules) {
			t.Error("doesn't hold what was just programmed")
		}
	}
	text := tables(ctx, t, v, f)
	if n := strings.Count(text, "-A INPUT -j SALLYPORT-IPVS-IN"); n != 2 {
		t.Errorf("%d jumps from INPUT, want one in mangle and one in filter:\n%s", n, text)
	}
	if strings.Index(text, "-A PREROUTING -j THEIRS") < strings.Index(text, "-A PREROUTING -j SALLYPORT-IPVS-PRE") {
		t.Errorf("somebody else's rule is before ours:\n%s", text)
	}
	if err := v.restore(ctx, run, f, "*nat\n-D POSTROUTING -j SALLYPORT-IPVS-POST\nCOMMIT\n"); err != nil {
		t.Fatal(err)
	}
	if v.holds(ctx, run, f, rules) {
		t.Error("holds without a jump")
	}
	if err := v.sweep(ctx, run, f); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, tables(ctx, t, v, f)); diff != "" {
		t.Errorf("tables (-before +after):\n%s", diff)
	}
	if err := destroySets(ctx, run); err != nil {
		t.Error(err)
	}
}

// tables are all rules, without comments and counters.
func tables(ctx context.Context, t *testing.T, v flavour, f plan.Family) string {
	t.Helper()
	var kept []string
	for _, table := range []string{"mangle", "nat", "filter"} {
		text, err := v.save(ctx, run, f, table)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(text, "\n") {
			if line, _, _ = strings.Cut(line, " ["); !strings.HasPrefix(line, "#") {
				kept = append(kept, line)
			}
		}
	}
	return strings.Join(kept, "\n")
}
