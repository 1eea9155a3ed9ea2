package l4

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
	"github.com/sallyport-ingress/sallyport/test/l4/lab"
	"github.com/sallyport-ingress/sallyport/test/uml"
)

// story is a world of one row, whose objects a test changes as it goes.
func story(t *testing.T, m mode, objects ...thing) *running {
	t.Helper()
	return within(newWorld(t, m), objects...)
}

func within(w *world, objects ...thing) *running {
	r := &running{world: w, n: newNumbers("story", 0), flows: map[string]*lab.Flow{}, seen: map[string]string{}}
	r.make(step{objects: objects})
	return r
}

// expect sends packets that are judged now.
func (r *running) expect(t *testing.T, packets string) {
	t.Helper()
	all, err := parsePackets(packets, r.mode, r.n)
	if err != nil {
		t.Fatal(err)
	}
	if wrong := lines(r.send(all)); wrong != "" {
		t.Errorf("packets:%s", wrong)
	}
}

// becomes waits until packets are as they must be.
func (r *running) becomes(t *testing.T, packets string) {
	t.Helper()
	all, err := parsePackets(packets, r.mode, r.n)
	if err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, "packets", func() error {
		if wrong := lines(r.send(all)); wrong != "" {
			return fmt.Errorf("%s", wrong)
		}
		return nil
	})
}

var (
	storyService = service("web", "80 80/udp", everywhere)
	storyPackets = "client,p2,edge tcp,udp all:80 = p1 n2a"
)

func usual(t *testing.T, m mode) *running {
	t.Helper()
	return story(t, m, storyService, endpoints("web", p1, n2a))
}

// While the proxier restarts, by itself or killed, the kernel serves: no
// connection fails and those that are open go on.
func TestRestart(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		if !slices.Contains(kernels, m) {
			t.Skip("reason: in userspace nobody serves while the process is away; see TestUserspaceRestart")
		}
		r := usual(t, m)
		r.run(t, clusterCIDR...)
		open := []*lab.Flow{r.flow(t, "client", "tcp", "vip:80"), r.flow(t, "p2", "tcp", "primary:80"), r.flow(t, "client", "tcp", "lb6:80")}
		alive := func() {
			t.Helper()
			for _, f := range open {
				if got := f.Ask(patience); got.Outcome != lab.Answered {
					t.Errorf("an open connection: %v", got)
				}
			}
		}
		alive()
		load := r.startLoad(t, "client tcp vip:80,vip6:80,primary:80,lb:80 = p1 n2a\np2 tcp,udp vip:80 = p1 n2a")
		load.pass(t, 200)
		r.proxier.stop(t)
		load.pass(t, 200)
		alive()
		r.run(t, clusterCIDR...)
		load.pass(t, 200)
		r.proxier.kill()
		load.pass(t, 200)
		alive()
		r.make(step{objects: []thing{storyService, endpoints("web", n2a, n2b)}}) // changed while nobody looks
		r.run(t, clusterCIDR...)
		load.pass(t, 200)
		load.none(t)
		alive()
		r.expect(t, "client,p2,edge tcp,udp all:80 = n2a n2b")
	})
}

func TestUserspaceRestart(t *testing.T) {
	t.Parallel()
	if uml.Inside() {
		t.Skip("reason: User-mode Linux has no nftables, which userspace uses; it is tested outside")
	}
	needRoot(t)
	for name, end := range map[string]func(p *proxier){
		"asked to end": func(p *proxier) { p.stop(t) },
		"killed":       func(p *proxier) { p.kill() },
	} {
		t.Run(name, func(t *testing.T) {
			r := usual(t, userspace)
			r.run(t, clusterCIDR...)
			r.expect(t, storyPackets)
			end(r.proxier)
			r.make(step{objects: []thing{storyService, endpoints("web", n2a, n2b)}})
			r.run(t, clusterCIDR...)
			r.expect(t, "client,p2,edge tcp,udp all:80 = n2a n2b")
		})
	}
}

// UDP flows whose endpoint went while the proxier was away move when it is back.
func TestUDPFlowsAfterARestart(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		if m == userspace {
			t.Skip("reason: in userspace a flow ends with the process")
		}
		r := story(t, m, storyService, endpoints("web", p1))
		r.run(t, clusterCIDR...)
		r.moves(t, "client", "vip:80", "p1")
		r.moves(t, "client", "primary:80", "p1")
		r.proxier.kill()
		r.make(step{objects: []thing{storyService, endpoints("web", n2a)}})
		r.run(t, clusterCIDR...)
		r.moves(t, "client", "vip:80", "n2a")
		r.moves(t, "client", "primary:80", "n2a")
	})
}

// Each mode takes away what another left.
func TestModeSwitch(t *testing.T) {
	t.Parallel()
	needRoot(t)
	modes := []mode{nftables, iptables, userspace, nftables}
	if uml.Inside() {
		modes = []mode{ipvs, iptables, ipvs}
	}
	fresh := map[mode][]string{}
	for _, m := range modes[1:] {
		r := usual(t, m)
		r.run(t, clusterCIDR...)
		fresh[m] = state(t, r.Edge)
		r.proxier.stop(t)
	}
	r := usual(t, modes[0])
	for i, m := range modes {
		t.Run(fmt.Sprintf("%d %s", i, m), func(t *testing.T) {
			r.mode = m
			r.generation = 0 // the same beacon as in a fresh start
			r.run(t, clusterCIDR...)
			if i > 0 {
				r.comesTo(t, fresh[m])
			}
			r.expect(t, storyPackets)
			r.proxier.stop(t)
		})
	}
}

// comesTo waits until the edge's kernel holds just this.
func (r *running) comesTo(t *testing.T, want []string) {
	t.Helper()
	cluster.Eventually(t, "the kernel's state is as it must be", func() error {
		if got := state(t, r.Edge); !slices.Equal(got, want) {
			return fmt.Errorf("(-want +got)\n%s", strings.Join(difference(want, got), "\n"))
		}
		return nil
	})
}

// --cleanup leaves what was there before, to the last rule.
func TestCleanup(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		r := usual(t, m)
		foreign(t, r.Edge)
		before := state(t, r.Edge)
		if code, _, stderr := toEnd(t, r.Edge, "--cleanup"); code != 0 {
			t.Errorf("--cleanup where nothing is: status %d: %s", code, stderr)
		}
		same(t, "after --cleanup where nothing was", before, state(t, r.Edge))
		r.run(t, clusterCIDR...)
		r.expect(t, storyPackets)
		during := state(t, r.Edge)
		for _, line := range before {
			if !slices.Contains(during, line) {
				t.Errorf("not there any more beside our rules: %s", line)
			}
		}
		if len(during) == len(before) {
			t.Error("nothing of ours is in the kernel's state: the test is blind")
		}
		r.proxier.stop(t)
		if m != userspace {
			r.expect(t, storyPackets) // SIGTERM leaves the rules
		}
		if code, _, stderr := toEnd(t, r.Edge, "--cleanup"); code != 0 {
			t.Errorf("--cleanup: status %d: %s", code, stderr)
		}
		same(t, "after --cleanup", before, state(t, r.Edge))
		r.expect(t, "client,edge tcp vips:80,lbs:80 = passes")
	})
}

// Somebody deletes what is ours: it comes back.
func TestDeleted(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		r := usual(t, m)
		foreign(t, r.Edge)
		before := state(t, r.Edge)
		r.run(t, clusterCIDR...)
		during := state(t, r.Edge)
		for what, wipe := range wipes[m] {
			t.Run(what, func(t *testing.T) {
				for _, line := range wipe {
					if _, err := r.Edge.Run("", "sh", "-c", line); err != nil {
						t.Fatal(err)
					}
				}
				r.becomes(t, storyPackets)
				r.comesTo(t, during)
			})
		}
		after := state(t, r.Edge)
		for _, line := range before {
			if !slices.Contains(after, line) {
				t.Errorf("foreign, and gone: %s", line)
			}
		}
	})
}

func difference(want, got []string) []string {
	var all []string
	for _, line := range want {
		if !slices.Contains(got, line) {
			all = append(all, "-"+line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			all = append(all, "+"+line)
		}
	}
	return all[:min(len(all), 12)]
}

// wipes are what careless tools do to our rules.
var wipes = map[mode]map[string][]string{
	nftables: {
		"one table":  {"nft delete table ip sallyport"},
		"both":       {"nft delete table ip sallyport", "nft delete table ip6 sallyport"},
		"its chains": {"nft flush table ip sallyport"},
	},
	iptables: {
		"our jumps and chains": {wipeLegacy("iptables"), wipeLegacy("ip6tables")},
		"our jumps":            {unjump("iptables")},
	},
	userspace: {
		"both tables": {"nft delete table ip sallyport-userspace", "nft delete table ip6 sallyport-userspace"},
	},
	ipvs: {
		"the device": {"ip link delete sallyport-ipvs"},
	},
}

// wipeLegacy deletes all rules and chains of ours, and leaves others'.
func wipeLegacy(program string) string {
	return fmt.Sprintf(`for table in nat filter; do
	xtables-legacy-multi %[1]s-save -t $table | grep -v -e SALLYPORT- | xtables-legacy-multi %[1]s-restore -T $table
done`, program)
}

// unjump deletes the rules of the kernel's own chains that lead to ours.
func unjump(program string) string {
	return fmt.Sprintf(`for table in nat filter; do
	xtables-legacy-multi %[1]s-save -t $table | grep -v -E -e '^-A (PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) .*SALLYPORT-' | xtables-legacy-multi %[1]s-restore -T $table
done`, program)
}

// A kernel without ipvs: iptables instead, and everybody is told.
func TestFallback(t *testing.T) {
	t.Parallel()
	needRoot(t)
	if _, err := os.Stat("/proc/net/ip_vs"); err == nil {
		t.Skip("reason: this kernel has ipvs, so there is nothing to fall back from")
	}
	r := usual(t, iptables)
	r.write(t)
	r.proxier = launch(t, r.Edge, ipvs, append(r.from.args(), clusterCIDR...)...)
	r.inForce(t)
	r.expect(t, storyPackets)
	all, err := r.proxier.metrics()
	if err != nil {
		t.Fatal(err)
	}
	if v := all[`sallyport_proxier_mode{mode="iptables",wanted="ipvs"}`]; v != 1 {
		t.Errorf("no metric says that it is iptables and was to be ipvs")
	}
	if log := r.proxier.text(); !strings.Contains(log, "level=WARN") && !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "ipvs") {
		t.Errorf("no warning says that ipvs is not there:\n%s", log)
	}
	if _, body, err := get(r.Edge, "http://127.0.0.1:10249/proxyMode"); err != nil || body != "iptables" {
		t.Errorf("/proxyMode: %q, %v", body, err)
	}
}

// A signal to end is obeyed before anything is ready, too.
func TestEndsBeforeItIsReady(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		w := newWorld(t, m)
		p := start(t, w.Edge, m, "--kubeconfig="+unreachable(t))
		cluster.Eventually(t, "it has begun", func() error {
			if p.text() == "" {
				return fmt.Errorf("no log")
			}
			return nil
		})
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		p.awaitEnd(t)
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("ended with %v", p.cmd.ProcessState)
		}
	})
}
