package nftables

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

func TestCountsOnlyGrow(t *testing.T) {
	w, b := newWorld(t), builder(plan.IPv4)
	back := w.backend(t)
	p := b.port("web", b.clusterIP(1, 80), b.lb(1, 80))
	p.Cluster = b.pods(1, 2)
	bring(t, back, planOf(settings(), p))
	var dialled uint64
	dial := func(step string) {
		t.Helper()
		for _, a := range []string{"vip", "lb"} {
			if got := w.client.dial(net.JoinHostPort(b.address(a, 1).String(), "80")); got.failed == "" {
				dialled++
			}
		}
		count, err := back.Connections(t.Context())
		if err != nil || count[p.ID] != dialled {
			t.Errorf("%s: %d connections are counted (%v), %d were made", step, count[p.ID], err, dialled)
		}
	}
	dial("at first")
	for _, c := range []struct {
		name string
		edit func(*plan.Port)
	}{
		{"three slots", func(p *plan.Port) { p.Cluster = b.pods(1, 2); p.Cluster[1].Weight = 2 }},
		{"one endpoint", func(p *plan.Port) { p.Cluster = b.pods(1) }},
		{"another balance", func(p *plan.Port) { p.Balance = plan.RoundRobin }},
		{"affinity", func(p *plan.Port) { p.Affinity = time.Hour }},
		{"sources", func(p *plan.Port) { p.Frontends[1].Sources = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }},
		{"no sources", func(p *plan.Port) { p.Frontends[1].Sources = nil }},
		{"no load balancer", func(p *plan.Port) { p.Frontends = p.Frontends[:1] }},
	} {
		next := *p
		next.Frontends = append([]plan.Frontend(nil), p.Frontends...)
		c.edit(&next)
		if err := back.Apply(t.Context(), []plan.Change{{ID: p.ID, Was: p, Is: &next}}); err != nil {
			t.Fatal(err)
		}
		p = &next
		dial(c.name)
	}
	s := settings()
	s.MasqueradeAll = true
	bring(t, back, planOf(s, p))
	dial("other Settings")
}

func TestAnotherPortDoesNotInheritACount(t *testing.T) {
	w, b := newWorld(t), builder(plan.IPv4)
	back := w.backend(t)
	p := b.port("old", b.clusterIP(1, 80))
	p.Cluster = b.pods(1)
	bring(t, back, planOf(settings(), p))
	w.client.dial(net.JoinHostPort(b.address("vip", 1).String(), "80"))
	next := *p
	next.Name = "new"
	if err := back.Apply(t.Context(), []plan.Change{{ID: p.ID, Was: p}, {ID: plan.ID{
		Service: next.Service, Protocol: next.Protocol, Family: next.Family}, Is: &next}}); err != nil {
		t.Fatal(err)
	}
	count, err := back.Connections(t.Context())
	if n := count[next.ID]; err != nil || n != 0 || len(count) != 1 {
		t.Errorf("counted are %v (%v), want nothing for %s", count, err, next.ID)
	}
}

func TestCountingBesideChanges(t *testing.T) {
	private(t)
	back := backend(t)
	all := examples()
	bring(t, back, all["frontends"])
	done := make(chan error)
	stop := make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := back.Connections(t.Context()); err != nil {
				done <- err
				return
			}
		}
	}()
	for range 20 {
		if err := back.Apply(t.Context(), plainChanges(all["frontends"], all["balance"])); err != nil {
			t.Error(err)
		}
		bring(t, back, all["frontends"])
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
