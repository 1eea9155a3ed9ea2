package iptables

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/proxier"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

var _ proxier.Backend = (*Backend)(nil)

const foreign = `*filter
:MINE - [0:0]
-A MINE -j DROP
-A INPUT -s 192.0.2.99/32 -m comment --comment "do not -j SALLYPORT-FILTER" -j MINE
COMMIT
*nat
:SALLYPORT-IPVS-SERVICES - [0:0]
-A SALLYPORT-IPVS-SERVICES -d 10.96.0.1/32 -j RETURN
-A PREROUTING -j SALLYPORT-IPVS-SERVICES
COMMIT
`

func TestForeignRulesStay(t *testing.T) {
	eachFlavour(t, func(t *testing.T, flavour string) {
		for _, first := range []string{"iptables-", "ip6tables-"} {
			text := foreign
			if first == "ip6tables-" {
				text = strings.NewReplacer("192.0.2.99/32", "2001:db8::99/128", "10.96.0.1/32", "fd00:96::1/128").Replace(text)
			}
			run(t, text, first+flavour+"-restore", "--noflush")
		}
		before := chains(t, flavour)
		b := backend(t, flavour)
		p := plans()["every-frontend"]
		syncTo(t, b, p)
		for _, port := range p.Ports {
			apply(t, b, plan.Change{ID: port.ID, Was: port})
		}
		got := chains(t, flavour)
		for name, rules := range before {
			for _, r := range rules {
				if !slices.Contains(got[name], r) {
					t.Errorf("%s has lost %s", name, r)
				}
			}
		}
		if err := Cleanup(context.Background()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, chains(t, flavour)); diff != "" {
			t.Error("after Cleanup it is not as before:", diff)
		}
		if err := Cleanup(context.Background()); err != nil {
			t.Error("where nothing is there:", err)
		}
	})
}

// A Sync takes over from an earlier process, whatever that left, and each jump
// is there once.
func TestSyncTakesOver(t *testing.T) {
	eachFlavour(t, func(t *testing.T, flavour string) {
		syncTo(t, backend(t, flavour), plans()["affinity"])
		want := chains(t, flavour)
		for _, name := range []string{"every-frontend", "local", "balances", "no-endpoints", "sources"} {
			syncTo(t, backend(t, flavour), plans()[name])
		}
		run(t, `*nat
:SALLYPORT-SVC-OLD - [0:0]
:SALLYPORT-SEP-OLD - [0:0]
-A SALLYPORT-SVC-OLD -g SALLYPORT-SEP-OLD
-A PREROUTING -j SALLYPORT-SERVICES
-A PREROUTING -p tcp -j SALLYPORT-SVC-OLD
-D POSTROUTING -j SALLYPORT-POSTROUTING
COMMIT
`, "iptables-"+flavour+"-restore", "--noflush")
		syncTo(t, backend(t, flavour), plans()["affinity"])
		if diff := cmp.Diff(want, chains(t, flavour)); diff != "" {
			t.Error("it is not as at first:", diff)
		}
	})
}

// Changes, one after the other, leave the same as one Sync with their outcome.
func TestApplyIsAsSync(t *testing.T) {
	eachFlavour(t, func(t *testing.T, flavour string) {
		r := rand.New(rand.NewPCG(5, 6))
		b := backend(t, flavour)
		now := planOf(settings())
		syncTo(t, b, now)
		for range 25 {
			changes := map[plan.ID]plan.Change{}
			for range 1 + r.IntN(4) {
				p := randomPort(r)
				c := plan.Change{ID: p.ID, Was: now.Ports[p.ID], Is: p}
				if r.IntN(3) == 0 {
					c.Is = nil
				}
				if c.Was != nil || c.Is != nil {
					changes[p.ID] = c
				}
			}
			apply(t, b, slices.Collect(maps.Values(changes))...)
			next := planOf(now.Settings)
			maps.Copy(next.Ports, now.Ports)
			for id, c := range changes {
				next.Ports[id] = c.Is
				if c.Is == nil {
					delete(next.Ports, id)
				}
			}
			now = next
		}
		if !compares(t, b) {
			t.Error("not intact")
		}
		got := chains(t, flavour)
		if diff := cmp.Diff(rulesOf(got), totals(b)); diff != "" {
			t.Error("rules are counted wrong (-kernel +told):", diff)
		}
		syncTo(t, backend(t, flavour), now)
		if diff := cmp.Diff(chains(t, flavour), got); diff != "" {
			t.Error("a Sync gives something else:", diff)
		}
	})
}

// rulesOf counts the rules of chains, by family and table. Nobody else has any
// there.
func rulesOf(all map[string][]string) map[string]int {
	n := map[string]int{}
	for name, rules := range all {
		of := strings.Fields(name)
		n[of[0]+" "+of[1]] += len(rules)
	}
	return n
}

func totals(b *Backend) map[string]int {
	n := map[string]int{}
	for _, one := range b.Rules() {
		first := "iptables "
		if one.Family == plan.IPv6 {
			first = "ip6tables "
		}
		n[first+one.Table] = one.Total
	}
	return n
}

// What a change wrote is counted apart from all that there is.
func TestRules(t *testing.T) {
	eachFlavour(t, func(t *testing.T, flavour string) {
		b := backend(t, flavour)
		ports := many(20)
		syncTo(t, b, planOf(settings(), ports...))
		all := b.Rules()
		if len(all) == 0 || all[0].Table != "nat" || all[0].Written == 0 || all[0].Written > all[0].Total {
			t.Fatalf("after a Sync: %+v", all)
		}
		is := *ports[7]
		is.Cluster = append(slices.Clone(is.Cluster), plan.Endpoint{Address: netip.MustParseAddrPort("10.244.2.9:80"), Weight: 1})
		apply(t, b, plan.Change{ID: is.ID, Was: ports[7], Is: &is})
		if after := b.Rules()[0]; after.Written == 0 || after.Written > 10 || after.Total <= all[0].Total {
			t.Errorf("after an endpoint more: %+v, before %+v", after, all[0])
		}
		if diff := cmp.Diff(rulesOf(chains(t, flavour)), totals(b)); diff != "" {
			t.Error("rules are counted wrong (-kernel +told):", diff)
		}
	})
}

// randomPort is one of few ports in one of many states.
func randomPort(r *rand.Rand) *plan.Port {
	n := r.IntN(6)
	four := r.IntN(2) == 0
	address, pod := fmt.Sprintf("10.96.0.%d", n/2), "10.244.%d.%d:80"
	if !four {
		address, pod = fmt.Sprintf("fd00:96::%d", n/2), "[fd00:244:%d::%d]:80"
	}
	var pods []string
	for i := range r.IntN(4) {
		pods = append(pods, fmt.Sprintf([]string{"", "L"}[i%2]+pod, 2-i%2, i))
	}
	p := service(fmt.Sprint("s", n), address, uint16(80+n), plan.TCP, pods...)
	p.Balance = plan.Balance(r.IntN(5))
	if r.IntN(3) == 0 {
		p.Affinity = time.Minute
	}
	if r.IntN(2) == 0 {
		f := nodePort(uint16(30000 + n*10))
		f.Local = r.IntN(2) == 0
		p = with(p, f)
	}
	if r.IntN(2) == 0 {
		f := loadBalancer(map[bool]string{true: "203.0.113.1", false: "2001:db8::1"}[four], uint16(80+n))
		if r.IntN(2) == 0 {
			f.Sources = []netip.Prefix{netip.PrefixFrom(p.ID.Family.Any(), 1)}
		}
		p = with(p, f)
	}
	return p
}

func TestIntact(t *testing.T) {
	eachFlavour(t, func(t *testing.T, flavour string) {
		b := backend(t, flavour)
		p := plans()["cluster-ip"]
		if intact(t, b) {
			t.Error("intact before anything was synced")
		}
		syncTo(t, b, p)
		want := chains(t, flavour)
		for name, damage := range map[string][]string{
			"a flushed table": {"iptables-", "-t", "nat", "-F"},
			"a jump":          {"iptables-", "-t", "filter", "-D", "INPUT", "1"},
			"a rule":          {"iptables-", "-t", "nat", "-D", postroutingChain, "1"},
			"a rule more":     {"iptables-", "-t", "nat", "-I", servicesChain, "-j", "ACCEPT"},
			"IPv6":            {"ip6tables-", "-t", "nat", "-F", "OUTPUT"},
			"a chain more":    {"iptables-", "-t", "filter", "-N", byOrigin + "MORE"},
		} {
			run(t, "", damage[0]+flavour, damage[1:]...)
			if intact(t, b) {
				t.Errorf("%s: nothing was noticed", name)
			}
			syncTo(t, b, p)
			if diff := cmp.Diff(want, chains(t, flavour)); diff != "" {
				t.Errorf("%s: not mended: %s", name, diff)
			}
			if !compares(t, b) {
				t.Errorf("%s: not intact after it was mended", name)
			}
		}
		run(t, "", "iptables-"+flavour, "-t", "filter", "-A", "INPUT", "-j", "ACCEPT")
		if f := b.v4; f.watch.untouched(f) {
			t.Error("it cannot be seen that somebody wrote a rule")
		}
		if !intact(t, b) {
			t.Error("somebody else's rule is taken for damage")
		}
	})
}

// What somebody else did just before a change is not taken for the change's.
func TestDamageBeforeAChange(t *testing.T) {
	eachFlavour(t, func(t *testing.T, flavour string) {
		b := backend(t, flavour)
		ports := many(2)
		syncTo(t, b, planOf(settings(), ports[0]))
		run(t, "", "iptables-"+flavour, "-t", "nat", "-F", "PREROUTING")
		apply(t, b, changesOf(ports[1:])...)
		if intact(t, b) {
			t.Error("nothing was noticed")
		}
	})
}

// A stub stands before the programs, and refuses what has a word in it.
type stub struct {
	word string
	err  error
	runs int
}

func (s *stub) run(ctx context.Context, stdin []byte, name string, args ...string) ([]byte, error) {
	s.runs++
	if s.word != "" && bytes.Contains(stdin, []byte(s.word)) {
		return nil, s.err
	}
	return programs{}.run(ctx, stdin, name, args...)
}

func stubbed(t *testing.T, flavour string) (*Backend, *stub) {
	t.Helper()
	s := &stub{err: &failure{"iptables-restore", "line 1000000 failed"}}
	b, err := newBackend(Options{Log: quiet(), Flavour: flavour}, s)
	if err != nil {
		t.Fatal(err)
	}
	return b, s
}

// many are ports enough that one of them has to be looked for.
func many(n int) []*plan.Port {
	var all []*plan.Port
	for i := range n {
		all = append(all, with(service(fmt.Sprint("s", i), fmt.Sprintf("10.96.1.%d", i), 80, plan.TCP, fmt.Sprintf("L10.244.1.%d:80", i)),
			nodePort(uint16(30000+i))))
	}
	return all
}

func refusedIDs(t *testing.T, err error) []plan.ID {
	t.Helper()
	var refused plan.Refused
	if !errors.As(err, &refused) {
		t.Fatalf("error is %v, wants plan.Refused", err)
	}
	return sorted(slices.Collect(maps.Keys(refused)))
}

func changesOf(ports []*plan.Port) []plan.Change {
	var all []plan.Change
	for _, p := range ports {
		all = append(all, plan.Change{ID: p.ID, Is: p})
	}
	return all
}

// A port that the kernel refuses is left out, and named, whether it comes with
// a Sync or with changes; all others are served.
func TestRefused(t *testing.T) {
	eachFlavour(t, func(t *testing.T, flavour string) {
		ports := many(20)
		bad := []plan.ID{ports[7].ID, ports[11].ID}
		wrong := map[string]func(s *stub, p *plan.Port) *plan.Port{
			"injected": func(s *stub, p *plan.Port) *plan.Port {
				s.word = "10.244.1.7:"
				if p.ID == bad[1] {
					p.Cluster[0].Address = netip.MustParseAddrPort("10.244.1.7:81")
				}
				return p
			},
			// iptables-restore itself names the line of these.
			"real": func(_ *stub, p *plan.Port) *plan.Port {
				p.Cluster[0].Address = netip.MustParseAddrPort("[fd00::1]:80")
				return p
			},
		}
		for name, spoil := range wrong {
			for _, way := range []string{"Sync", "Apply"} {
				t.Run(name+way, func(t *testing.T) {
					apart(t)
					b, s := stubbed(t, flavour)
					ports := many(20)
					ports[7], ports[11] = spoil(s, ports[7]), spoil(s, ports[11])
					var err error
					if way == "Sync" {
						err = b.Sync(context.Background(), planOf(settings(), ports...))
					} else {
						syncTo(t, b, planOf(settings()))
						err = b.Apply(context.Background(), changesOf(ports))
					}
					if diff := cmp.Diff(sorted(slices.Clone(bad)), refusedIDs(t, err)); diff != "" {
						t.Error(diff)
					}
					s.word = ""
					if !compares(t, b) {
						t.Error("not intact")
					}
					got := chains(t, flavour)
					good := slices.DeleteFunc(many(20), func(p *plan.Port) bool { return slices.Contains(bad, p.ID) })
					syncTo(t, backend(t, flavour), planOf(settings(), good...))
					if diff := cmp.Diff(chains(t, flavour), got); diff != "" {
						t.Error("not all others, and they alone, are served:", diff)
					}
				})
			}
		}
	})
}

// A change that is refused leaves the port as it was, and one that takes it
// away later takes all of it.
func TestRefusedStaysAsItWas(t *testing.T) {
	eachFlavour(t, func(t *testing.T, flavour string) {
		b, s := stubbed(t, flavour)
		ports := many(3)
		syncTo(t, b, planOf(settings(), ports...))
		before := chains(t, flavour)
		next := many(3)[1]
		next.Cluster = nil
		next.Cluster = append(next.Cluster, plan.Endpoint{Address: netip.MustParseAddrPort("10.244.1.99:80"), Weight: 1})
		next.Frontends = append(next.Frontends, loadBalancer("203.0.113.9", 80, "192.0.2.0/24"))
		s.word = "10.244.1.99"
		err := b.Apply(context.Background(), []plan.Change{{ID: next.ID, Was: ports[1], Is: next}})
		if got := refusedIDs(t, err); len(got) != 1 || got[0] != next.ID {
			t.Error(got)
		}
		if diff := cmp.Diff(before, chains(t, flavour)); diff != "" {
			t.Error("it is not as it was:", diff)
		}
		if diff := cmp.Diff(rulesOf(before), totals(b)); diff != "" {
			t.Error("rules are counted wrong (-kernel +told):", diff)
		}
		s.word = ""
		apply(t, b, plan.Change{ID: next.ID, Was: next})
		got := chains(t, flavour)
		syncTo(t, backend(t, flavour), planOf(settings(), ports[0], ports[2]))
		if diff := cmp.Diff(chains(t, flavour), got); diff != "" {
			t.Error("it is not gone:", diff)
		}
	})
}

// What is not the fault of a port is no plan.Refused, and after it nothing but
// a Sync will do.
func TestTroubleIsNobodysFault(t *testing.T) {
	for name, trouble := range map[string]error{
		"lock":    &failure{"iptables-restore", "Another app is currently holding the xtables lock; still 4s 0us time ahead"},
		"program": errors.New("fork: cannot allocate memory"),
		"all":     &failure{"iptables-restore", "line 4 failed"},
	} {
		t.Run(name, func(t *testing.T) {
			apart(t)
			b, s := stubbed(t, flavourLegacy)
			ports := many(3)
			syncTo(t, b, planOf(settings(), ports[:2]...))
			s.word, s.err = "*nat", trouble
			for _, err := range []error{
				b.Apply(context.Background(), changesOf(ports[2:])),
				b.Sync(context.Background(), planOf(settings(), ports...)),
			} {
				var refused plan.Refused
				if !errors.Is(err, trouble) || errors.As(err, &refused) {
					t.Errorf("error is %v, wants %v", err, trouble)
				}
			}
			s.word = ""
			if intact(t, b) {
				t.Error("intact, though nobody knows")
			}
			if err := b.Apply(context.Background(), changesOf(ports[2:])); err == nil {
				t.Error("changes are taken, though nobody knows to what")
			}
			syncTo(t, b, planOf(settings(), ports...))
			if !intact(t, b) {
				t.Error("not intact after a Sync")
			}
		})
	}
}

// One change runs one program, and Intact none.
func TestChangesAreCheap(t *testing.T) {
	eachFlavour(t, func(t *testing.T, flavour string) {
		b, s := stubbed(t, flavour)
		ports := many(20)
		syncTo(t, b, planOf(settings(), ports[:19]...))
		s.runs = 0
		apply(t, b, changesOf(ports[19:])...)
		if s.runs != 1 {
			t.Errorf("a change took %d programs", s.runs)
		}
		s.runs = 0
		for range 5 {
			if !intact(t, b) {
				t.Error("not intact")
			}
		}
		if s.runs != 0 {
			t.Errorf("Intact took %d programs", s.runs)
		}
		apply(t, b, plan.Change{ID: ports[3].ID, Was: ports[3], Is: ports[3]})
		if s.runs != 0 {
			t.Errorf("no change took %d programs", s.runs)
		}
	})
}

// Without ip6tables, IPv4 is served, and a warning says so once.
func TestWithoutIPv6(t *testing.T) {
	apart(t)
	folder := t.TempDir()
	for _, name := range []string{"iptables-legacy-restore", "iptables-legacy-save"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", folder)
	var said bytes.Buffer
	b, err := New(Options{Log: slog.New(slog.NewTextHandler(&said, nil)), Flavour: flavourLegacy})
	if err != nil {
		t.Fatal(err)
	}
	p := plans()["cluster-ip"]
	syncTo(t, b, p)
	for _, port := range p.Ports {
		apply(t, b, plan.Change{ID: port.ID, Was: port})
	}
	if !intact(t, b) {
		t.Error("not intact")
	}
	if n := strings.Count(said.String(), "IPv6 is not served"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, &said)
	}
	if err := Cleanup(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestSupported(t *testing.T) {
	apart(t)
	if err := Supported(context.Background()); err != nil {
		t.Error(err)
	}
	if got := chains(t, flavourLegacy); len(got) != 0 {
		t.Errorf("the legacy tables were touched: %v", got)
	}
	if got := chains(t, flavourNft); len(got) != 0 {
		t.Errorf("the tables were touched: %v", got)
	}
	t.Setenv("PATH", t.TempDir())
	if err := Supported(context.Background()); err == nil || !strings.Contains(err.Error(), "install iptables") {
		t.Errorf("without programs: %v", err)
	}
	if err := Cleanup(context.Background()); err != nil {
		t.Errorf("without programs there is nothing to clean: %v", err)
	}
	if _, err := New(Options{}); err == nil {
		t.Error("without programs there is a Backend")
	}
}

// A mask of 0 would masquerade all that passes the node.
func TestNoMark(t *testing.T) {
	apart(t)
	s := settings()
	s.MasqueradeMark = 0
	if err := backend(t, flavourLegacy).Sync(context.Background(), planOf(s)); err == nil {
		t.Error("no error")
	}
}
