package conntrack

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

const (
	a, b = "10.244.1.10:5353", "10.244.1.11:5353"
	vip  = "10.96.0.10:53"
	vip2 = "10.96.0.99:53"
)

// What a change leaves to do; nothing means that the table is not read.
func TestAdd(t *testing.T) {
	dns := id("dns", plan.IPv4)
	with := func(endpoints ...string) *plan.Port { return port(dns, []string{vip}, endpoints...) }
	both := port(dns, []string{vip, vip2}, a)
	tcp := dns
	tcp.Protocol = plan.TCP
	local := with()
	local.Local = with(a).Cluster
	type todo struct{ ports, gone int }
	for name, test := range map[string]struct {
		changes []plan.Change
		want    todo
	}{
		"TCP":                         {[]plan.Change{{ID: tcp, Was: port(tcp, []string{vip}, a), Is: port(tcp, []string{vip}, b)}}, todo{}},
		"TCP gone":                    {[]plan.Change{{ID: tcp, Was: port(tcp, []string{vip}, a)}}, todo{}},
		"an endpoint more":            {[]plan.Change{{ID: dns, Was: with(a), Is: with(a, b)}}, todo{}},
		"nothing that matters":        {[]plan.Change{{ID: dns, Was: with(a), Is: with(a)}}, todo{}},
		"from Cluster to Local":       {[]plan.Change{{ID: dns, Was: with(a), Is: local}}, todo{}},
		"gone, had no endpoint":       {[]plan.Change{{ID: dns, Was: with()}}, todo{gone: 1}},
		"an endpoint less":            {[]plan.Change{{ID: dns, Was: with(a, b), Is: with(b)}}, todo{ports: 1}},
		"the last less":               {[]plan.Change{{ID: dns, Was: with(a), Is: with()}}, todo{ports: 1}},
		"the last local less":         {[]plan.Change{{ID: dns, Was: local, Is: with()}}, todo{ports: 1}},
		"the first":                   {[]plan.Change{{ID: dns, Was: with(), Is: with(a)}}, todo{ports: 1}},
		"another":                     {[]plan.Change{{ID: dns, Was: with(a), Is: with(b)}}, todo{ports: 1}},
		"new":                         {[]plan.Change{{ID: dns, Is: with(a)}}, todo{ports: 1}},
		"a frontend more":             {[]plan.Change{{ID: dns, Was: with(a), Is: both}}, todo{ports: 1}},
		"a frontend less":             {[]plan.Change{{ID: dns, Was: both, Is: with(a)}}, todo{gone: 1}},
		"gone":                        {[]plan.Change{{ID: dns, Was: both}}, todo{gone: 2}},
		"the last less and then gone": {[]plan.Change{{ID: dns, Was: with(a), Is: with()}, {ID: dns, Was: with()}}, todo{ports: 1, gone: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			var w work
			for _, c := range test.changes {
				w.add(c)
			}
			if diff := cmp.Diff(test.want, todo{len(w.ports), len(w.gone)}, cmp.AllowUnexported(todo{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// A Cleaner that has nothing to do isn't woken.
func TestNotWoken(t *testing.T) {
	dns := id("dns", plan.IPv4)
	c := New(slog.New(slog.DiscardHandler), nil)
	is := port(dns, []string{vip}, a, b)
	c.Changed([]plan.Change{{ID: dns, Was: port(dns, []string{vip}, a), Is: is}}, planOf(is))
	if len(c.wake) > 0 {
		t.Error("an endpoint more woke it")
	}
}

// Which flows are stale, after changes that came together.
func TestStale(t *testing.T) {
	dns, other := id("dns", plan.IPv4), id("other", plan.IPv4)
	before := port(dns, []string{vip}, a)
	to, by := netip.MustParseAddrPort(vip), netip.MustParseAddrPort(a)
	for name, test := range map[string]struct {
		work func(*work)
		want bool
	}{
		"moved to a port with the same endpoint": {func(w *work) {
			after := port(other, []string{vip}, a)
			w.plan = planOf(after)
			w.add(plan.Change{ID: dns, Was: before})
			w.add(plan.Change{ID: other, Is: after})
		}, false},
		"moved to a port with another endpoint": {func(w *work) {
			after := port(other, []string{vip}, b)
			w.plan = planOf(after)
			w.add(plan.Change{ID: other, Is: after})
			w.add(plan.Change{ID: dns, Was: before})
		}, true},
		"an endpoint that serves still, but nothing new": {func(w *work) {
			after := port(dns, []string{vip}, b)
			after.Leaving = []netip.AddrPort{by}
			w.plan = planOf(after)
			w.add(plan.Change{ID: dns, Was: before, Is: after})
		}, false},
		"and when it is gone": {func(w *work) {
			between, after := port(dns, []string{vip}, b), port(dns, []string{vip}, b)
			between.Leaving = []netip.AddrPort{by}
			w.plan = planOf(after)
			w.add(plan.Change{ID: dns, Was: between, Is: after})
		}, true},
		"gone and come back": {func(w *work) {
			w.plan = planOf(before)
			w.add(plan.Change{ID: dns, Was: before})
			w.add(plan.Change{ID: dns, Is: before})
		}, false},
		"gone from one whole plan to the next": {func(w *work) {
			w.plan = planOf(before)
			w.replace(planOf())
		}, true},
		"gone before the first look": {func(w *work) {
			empty := port(dns, []string{vip})
			w.replace(planOf(empty))
			w.plan = planOf()
			w.add(plan.Change{ID: dns, Was: empty})
		}, true},
		"gone while the look at it fails": {func(w *work) {
			empty := port(dns, []string{vip})
			w.add(plan.Change{ID: dns, Was: before, Is: empty})
			undone := *w
			*w = work{plan: planOf()}
			w.add(plan.Change{ID: dns, Was: empty})
			w.merge(undone)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var w work
			test.work(&w)
			x := w.index(plan.IPv4)
			if got := x.stale(to, by); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// A message of any bytes is understood or not; it never ends the process.
func FuzzParse(f *testing.F) {
	tuple := nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_ORIG, nil)
	ip := tuple.AddRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_IP, nil)
	ip.AddRtAttr(ctaIPv4Src, []byte{1, 2, 3, 4})
	ip.AddRtAttr(ctaIPv4Dst, []byte{5, 6, 7, 8})
	ports := tuple.AddRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_PROTO, nil)
	ports.AddRtAttr(nl.CTA_PROTO_NUM, []byte{17})
	ports.AddRtAttr(ctaProtoDst, []byte{0, 53})
	whole := append([]byte{2, 0, 0, 0}, tuple.Serialize()...)
	f.Add(whole)
	f.Add(append(whole, nl.NewRtAttr(nl.CTA_ID, []byte{1, 2, 3, 4}).Serialize()...))
	f.Add([]byte{2, 0, 0, 0, 3, 0, 1, 0})
	f.Add([]byte{2, 0, 0, 0, 255, 255, 1, 128})
	f.Fuzz(func(t *testing.T, message []byte) {
		if flow, ok := parse(message); ok && (!flow.destination.IsValid() || len(flow.name()) == 0) {
			t.Errorf("%v", flow)
		}
	})
}
