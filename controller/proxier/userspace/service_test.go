package userspace

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

func sticky(endpoints ...plan.Endpoint) *plan.Port {
	p := port("stays", plan.TCP, plan.IPv4, []plan.Frontend{clusterIP("10.96.0.1:80"), frontend(plan.NodePort, "0.0.0.0:30080")}, endpoints...)
	p.Affinity = time.Hour
	return p
}

func firstOf(v *service, client int) netip.AddrPort {
	e, _ := v.take(v.port.Frontends[0], clientNo(client), plan.Elsewhere).next()
	return e.Address
}

func TestAffinity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoints := pool(1, 1, 1)
		v := newService(&plan.Settings{}, sticky(endpoints...))
		first := firstOf(v, 1)
		other := firstOf(v, 2)
		if first == other {
			t.Fatal("two clients began with the same endpoint")
		}
		time.Sleep(59 * time.Minute)
		if got := firstOf(v, 1); got != first {
			t.Errorf("within the hour: %s, want %s", got, first)
		}
		// By another frontend it is the same client.
		c := v.take(v.port.Frontends[1], clientNo(1), plan.Elsewhere)
		if e, _ := c.next(); e.Address != first {
			t.Errorf("by the node port: %s, want %s", e.Address, first)
		}
		time.Sleep(59 * time.Minute)
		if got := firstOf(v, 1); got != first {
			t.Errorf("an hour after the last connection: %s, want %s", got, first)
		}
		time.Sleep(time.Hour)
		if got := firstOf(v, 1); got == first {
			t.Errorf("after an hour without connections it is still %s", got)
		}
	})
}

func TestAffinityForgetsWhatGoes(t *testing.T) {
	endpoints := pool(1, 1)
	v := newService(&plan.Settings{}, sticky(endpoints...))
	was := firstOf(v, 1)
	rest := endpoints[1:]
	if was == rest[0].Address {
		rest = endpoints[:1]
	}
	v.set(&plan.Settings{}, sticky(rest...))
	if len(v.pins) != 0 {
		t.Error("a client is still with an endpoint that is gone")
	}
	v.set(&plan.Settings{}, sticky(endpoints...))
	if got := firstOf(v, 1); got != rest[0].Address && got != was {
		t.Errorf("got %s", got)
	}
	without := sticky(endpoints...)
	without.Affinity = 0
	v.set(&plan.Settings{}, without)
	if len(v.pins) != 0 {
		t.Error("without affinity clients stay")
	}
	firstOf(v, 1)
	if len(v.pins) != 0 {
		t.Error("without affinity clients are remembered")
	}
}

func TestAffinityIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newService(&plan.Settings{}, sticky(pool(1, 1)...))
		for i := range fewPins {
			firstOf(v, i)
		}
		time.Sleep(2 * time.Hour)
		firstOf(v, fewPins)
		if len(v.pins) != 1 {
			t.Errorf("%d clients are remembered, want the last one alone", len(v.pins))
		}
	})
}

func TestEachEndpointIsTriedOnce(t *testing.T) {
	endpoints := pool(1, 1, 1)
	v := newService(&plan.Settings{}, sticky(endpoints...))
	firstOf(v, 7) // so that the next begins with the second
	c := v.take(v.port.Frontends[0], clientNo(1), plan.Elsewhere)
	var got []netip.AddrPort
	for {
		e, ok := c.next()
		if !ok {
			break
		}
		got = append(got, e.Address)
		if len(got) == 2 {
			c.settle(e)
		}
	}
	want := []netip.AddrPort{endpoints[1].Address, endpoints[2].Address, endpoints[0].Address}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := firstOf(v, 1); got != endpoints[2].Address {
		t.Errorf("the client stays with %s, want the one that answered, %s", got, endpoints[2].Address)
	}
}

func TestBorrows(t *testing.T) {
	here, there := at("10.1.0.2:80", true), at("10.1.0.2:80", false)
	other, same := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("10.1.0.2")
	for name, c := range map[string]struct {
		choice choice
		e      plan.Endpoint
		want   bool
	}{
		"from outside to here":  {choice{client: other}, here, true},
		"from a pod to here":    {choice{client: other, origin: plan.LocalPod}, here, true},
		"from the node":         {choice{client: other, origin: plan.ThisNode}, here, false},
		"to another node":       {choice{client: other}, there, false},
		"to itself":             {choice{client: same, origin: plan.LocalPod}, here, false},
		"where it is to be hid": {choice{client: other, Treatment: plan.Treatment{Masquerade: true}}, here, false},
	} {
		if got := c.choice.borrows(c.e); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestDirectory(t *testing.T) {
	d := newDirectory()
	s := &plan.Settings{}
	a := port("a", plan.TCP, plan.IPv4, []plan.Frontend{clusterIP("10.96.0.1:80"), frontend(plan.NodePort, "0.0.0.0:30080")})
	b := port("b", plan.TCP, plan.IPv4, []plan.Frontend{clusterIP("10.96.0.2:80")})
	d.set(s, a)
	d.set(s, b)
	find := func(p plan.Protocol, at string) string {
		f, ok := d.find(p, netip.MustParseAddrPort(at))
		if !ok {
			return ""
		}
		return f.service.id.Name
	}
	check := func(p plan.Protocol, at, want string) {
		t.Helper()
		if got := find(p, at); got != want {
			t.Errorf("%s/%s is %q's, want %q's", at, p, got, want)
		}
	}
	check(plan.TCP, "10.96.0.1:80", "a")
	check(plan.TCP, "10.96.0.2:80", "b")
	check(plan.TCP, "192.0.2.1:30080", "a")
	check(plan.UDP, "10.96.0.1:80", "")
	check(plan.TCP, "[fd00::1]:30080", "")
	// The node port goes from a to b, told in either order.
	b2 := port("b", plan.TCP, plan.IPv4, []plan.Frontend{clusterIP("10.96.0.2:80"), frontend(plan.NodePort, "0.0.0.0:30080")})
	a2 := port("a", plan.TCP, plan.IPv4, []plan.Frontend{clusterIP("10.96.0.1:80")})
	d.set(s, b2)
	d.set(s, a2)
	check(plan.TCP, "192.0.2.1:30080", "b")
	d.drop(a2.ID)
	check(plan.TCP, "10.96.0.1:80", "")
	check(plan.TCP, "192.0.2.1:30080", "b")
}
