package ipvs

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// answers counts who answers a number of connections one after the other.
func (n *node) answers(from, to string, connections int) map[string]int {
	n.t.Helper()
	got := map[string]int{}
	for range connections {
		who, _, _ := strings.Cut(n.call(from, "tcp", to), " ")
		got[who]++
	}
	return got
}

func balanced(change func(*plan.Port)) *plan.Plan {
	return planOf(both("web", plan.IPv4, func(p *plan.Port) {
		p.Frontends = []plan.Frontend{at(plan.ClusterIP, "10.96.0.10", 80)}
		p.Cluster = to(first, second)
		change(p)
	}))
}

func TestKernelBalance(t *testing.T) {
	n := newNode(t)
	n.serve("p1", 8080)
	n.serve("p2", 8080)
	d := n.start(Options{Scheduler: "wrr"})
	const vip = "10.96.0.10:80"
	three := func(p *plan.Port) { p.Cluster[1].Weight = 3 }
	for name, row := range map[string]struct {
		change func(*plan.Port)
		want   map[string]int
	}{
		"the default is wrr":   {three, map[string]int{"p1": 2, "p2": 6}},
		"round robin":          {func(p *plan.Port) { p.Balance = plan.RoundRobin }, map[string]int{"p1": 4, "p2": 4}},
		"round robin, weights": {func(p *plan.Port) { three(p); p.Balance = plan.RoundRobin }, map[string]int{"p1": 2, "p2": 6}},
	} {
		d.sync(balanced(row.change))
		if diff := cmp.Diff(row.want, n.answers("client", vip, 8)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, change := range map[string]func(*plan.Port){
		"source hash": func(p *plan.Port) { p.Balance = plan.SourceHash },
		"maglev":      func(p *plan.Port) { p.Balance = plan.Maglev },
		"affinity":    func(p *plan.Port) { p.Affinity = time.Hour },
	} {
		d.sync(balanced(change))
		if got := n.answers("client", vip, 6); len(got) != 1 {
			t.Errorf("%s: %v answered, want one", name, got)
		}
	}
}

// While an endpoint drains, its clients get another, whatever the scheduler.
func TestKernelSchedulersLeaveWhatDrains(t *testing.T) {
	n := newNode(t)
	n.serve("p1", 8080)
	n.serve("p2", 8080)
	d := n.start(Options{})
	none := planOf()
	d.sync(none)
	for _, name := range schedulers() {
		d.view.scheduler = name // as if it had been started with it, which takes its time
		was, is := balanced(func(*plan.Port) {}), balanced(func(p *plan.Port) { p.Cluster = to(second) })
		d.apply(changesTo(none, was)...)
		c := n.connect("10.96.0.10:80")
		n.answers("client", "10.96.0.10:80", 2)
		d.apply(changesTo(was, is)...)
		if got := n.answers("client", "10.96.0.10:80", 4); got["p2"] != 4 {
			t.Errorf("%s: %v answered, want p2 alone", name, got)
		}
		if name != "dh" {
			n.says(c, "still here with "+name)
		}
		d.apply(changesTo(is, none)...)
	}
}

// An endpoint that a client is bound to goes: the client gets another at once.
func TestKernelAffinityForgets(t *testing.T) {
	n := newNode(t)
	n.serve("p1", 8080)
	n.serve("p2", 8080)
	d := n.start(Options{})
	sticky := func(endpoints ...string) *plan.Plan {
		return balanced(func(p *plan.Port) { p.Affinity, p.Cluster = time.Hour, to(endpoints...) })
	}
	d.sync(sticky(first))
	n.expect("client", "10.96.0.10:80", "p1 10.244.1.1")
	d.apply(changesTo(sticky(first), sticky(first, second))...)
	n.expect("client", "10.96.0.10:80", "p1 10.244.1.1")
	d.apply(changesTo(sticky(first, second), sticky(second))...)
	n.expect("client", "10.96.0.10:80", "p2 10.244.1.1")
}

func TestKernelConnections(t *testing.T) {
	n := newNode(t)
	n.serve("p1", 8080)
	d := n.start(Options{})
	p := planOf(web(plan.IPv4, first), web(plan.IPv6, "[fd00:244:1::10]:8080"))
	d.sync(p)
	n.answers("client", "10.96.0.10:80", 3)
	n.answers("client", nodeIP+":30080", 2)
	var got map[plan.ID]uint64
	web := plan.ID{Service: plan.Service{Namespace: "default", Name: "web"}, Protocol: plan.TCP, Family: plan.IPv4}
	// The kernel adds its processors' counts up every two seconds.
	d.waitFor("connections are counted", func() bool {
		var err error
		if got, err = d.Connections(t.Context()); err != nil {
			t.Fatal(err)
		}
		return got[web] >= 5
	})
	for id := range p.Ports {
		want := uint64(0)
		if id == web {
			want = 5
		}
		if got[id] != want {
			t.Errorf("%v: %d connections, want %d", id, got[id], want)
		}
	}
}

// Two ports that claim one address and port can't both have it, and a port may
// take over what another gives up in the same step.
func TestKernelTakesOver(t *testing.T) {
	n := newNode(t)
	n.serve("p1", 8080)
	n.serve("p2", 8080)
	d := n.start(Options{})
	was, is := balanced(func(p *plan.Port) { p.Cluster = to(first) }), &plan.Plan{Settings: settings(), Ports: map[plan.ID]*plan.Port{}}
	for _, p := range was.Ports {
		taken := *p
		taken.Name, taken.Cluster = "heir", to(second)
		is.Ports[taken.ID] = &taken
	}
	d.sync(was)
	c := n.connect("10.96.0.10:80")
	d.apply(changesTo(was, is)...)
	n.expect("client", "10.96.0.10:80", "p2 10.244.1.1")
	n.says(c, "still here")
}

// The kernel takes SCTP, though nothing here speaks it.
func TestKernelSCTP(t *testing.T) {
	n := newNode(t)
	d := n.start(Options{})
	id := plan.ID{Service: plan.Service{Namespace: "default", Name: "sctp"}, Protocol: plan.SCTP, Family: plan.IPv4}
	d.sync(&plan.Plan{Settings: settings(), Ports: map[plan.ID]*plan.Port{id: {
		ID: id, Frontends: []plan.Frontend{at(plan.ClusterIP, "10.96.0.10", 80)}, Cluster: to(first),
	}}})
	reals, err := d.kernel.table.reals(server{netip.MustParseAddr("10.96.0.10"), 80, plan.SCTP})
	if err != nil || len(reals) != 1 {
		t.Errorf("real servers %v, %v, want one", reals, err)
	}
}

func TestKernelSupported(t *testing.T) {
	n := newNode(t)
	n.sh("node", "iptables-legacy -t nat -S") // a table is made when somebody looks
	before := n.state()
	if err := n.in("node", func() error { return Supported(t.Context()) }); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(before, n.state()); diff != "" {
		t.Errorf("state (-before +after):\n%s", diff)
	}
}

// A namespace without IPv6 serves IPv4.
func TestKernelWithoutIPv6(t *testing.T) {
	n := newNode(t)
	n.serve("p1", 8080)
	n.sh("node", "sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
	d := n.start(Options{})
	d.sync(planOf(web(plan.IPv4, first), web(plan.IPv6, "[fd00:244:1::10]:8080")))
	n.expect("client", "10.96.0.10:80", "p1 10.244.1.1")
	if !d.intact() {
		t.Error("not intact")
	}
}
