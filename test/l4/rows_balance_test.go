package l4

import (
	"slices"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/test/l4/lab"
)

// balanceRows are about who gets which endpoint. Round robin is counted on
// connections that follow each other.
func balanceRows() []row {
	three := endpoints("web", p1, p2, n2a)
	return []row{
		{name: "the mode's own balance", steps: []step{{
			objects: []thing{service("web", "80 80/udp", nodePorts), three},
			also: func(t *testing.T, r *running) {
				r.even(t, "tcp", "vip:80")
				r.even(t, "tcp", "node6:80")
				r.even(t, "udp", "vip6:80")
			},
		}}},
		{name: "random", steps: []step{{
			objects: []thing{service("web", "80", balance("random")), three},
			also:    func(t *testing.T, r *running) { r.even(t, "tcp", "vip:80") },
		}}},
		{name: "round robin", steps: []step{{
			objects: []thing{service("web", "80 80/udp", nodePorts, balance("round-robin")), three},
			also: func(t *testing.T, r *running) {
				r.inTurn(t, "tcp", "vip:80", 3)
				r.inTurn(t, "udp", "node6:80", 3)
			},
		}}},
		{name: "round robin, two Services", steps: []step{{
			objects: []thing{
				service("web", "80", balance("round-robin")), three,
				service("api", "80", balance("round-robin")), endpoints("api", p1, p2, n2b),
			},
			also: func(t *testing.T, r *running) { r.interleaved(t) },
		}}},
		hashRow("source hash", "source-hash", three),
		hashRow("maglev", "maglev", three),
		maglevRow(),
		{name: "weights", steps: []step{{
			objects: []thing{service("web", "80"), slice("web", "-a", weight("3"), p1), slice("web", "-b", weight("1"), n2a)},
			also: func(t *testing.T, r *running) {
				if r.mode == ipvs {
					t.Skip("reason: --ipvs-scheduler=rr, the default, knows no weights")
				}
				r.share(t, "vip:80", "p1", 0.75)
			},
		}}},
		{name: "weights, round robin", steps: []step{{
			objects: []thing{service("web", "80", balance("round-robin")), slice("web", "-a", weight("3"), p1), slice("web", "-b", weight("1"), n2a)},
			also: func(t *testing.T, r *running) {
				if r.mode == iptables {
					r.share(t, "vip:80", "p1", 0.75) // its turns are for endpoints of equal weight
					return
				}
				got := r.turns(t, "tcp", "vip:80", 40)
				if n := got["p1"]; n != 30 || got["n2a"] != 10 {
					t.Errorf("of 40 turns of weights 3 and 1: %v", got)
				}
			},
		}}},
		one("a bad weight is none", `client tcp vips:80 = p1 n2a`,
			service("web", "80"), slice("web", "-a", weight("0"), p1), slice("web", "-b", weight("many"), n2a)),
		one("an unknown balance is none", `client tcp vips:80 = p1 n2a`,
			service("web", "80", balance("best")), endpoints("web", p1, n2a)),
	}
}

// turns counts who answers to connections that follow each other.
func (r *running) turns(t *testing.T, network, place string, n int) map[string]int {
	t.Helper()
	got := map[string]int{}
	for range n {
		got[r.ask(t, 0, network, place)]++
	}
	return got
}

// even holds that three endpoints get equal shares, by a bound on χ² that
// chance exceeds once in 10^7.
func (r *running) even(t *testing.T, network, place string) {
	t.Helper()
	const n = 240
	got := r.turns(t, network, place, n)
	var chi2 float64
	for _, name := range []string{"p1", "p2", "n2a"} {
		d := float64(got[name]) - n/3
		chi2 += d * d / (n / 3)
	}
	if chi2 > 32 || len(got) != 3 {
		t.Errorf("%s %s: of %d: %v, χ² %.1f: not even", network, place, n, got, chi2)
	}
}

// share holds that an endpoint gets its share, within six standard deviations.
func (r *running) share(t *testing.T, place, name string, want float64) {
	t.Helper()
	const n = 300
	got := r.turns(t, "tcp", place, n)
	if have := float64(got[name]) / n; have < want-0.15 || have > want+0.15 {
		t.Errorf("%s: %s has %.2f of %v, want %.2f", place, name, have, got, want)
	}
}

// inTurn holds that n endpoints follow each other in one order.
func (r *running) inTurn(t *testing.T, network, place string, n int) {
	t.Helper()
	var order []string
	for i := range 4 * n {
		name := r.ask(t, 0, network, place)
		if i < n {
			order = append(order, name)
		} else if name != order[i%n] {
			t.Errorf("%s %s: turn %d is %s's, after %v", network, place, i+1, name, order)
			return
		}
	}
	if slices.Sort(order); len(slices.Compact(order)) != n {
		t.Errorf("%s %s: %v have turns, want %d of them", network, place, order, n)
	}
}

// interleaved asks two Services by turns: neither's turns are the other's.
func (r *running) interleaved(t *testing.T) {
	t.Helper()
	got := map[string]map[string]int{"web": {}, "api": {}}
	for range 9 {
		for name, turns := range got {
			turns[r.ask(t, 0, "tcp", name+".vip:80")]++
		}
	}
	for name, turns := range got {
		for by, n := range turns {
			if n != 3 {
				t.Errorf("%s: %s had %d turns of 9: %v", name, by, n, turns)
			}
		}
	}
}

// hashRow is a balance by which each client stays where it is.
func hashRow(name, how string, eps thing) row {
	return row{name: name, steps: []step{{
		objects: []thing{service("web", "80 80/udp", nodePorts, balance(how)), eps},
		also: func(t *testing.T, r *running) {
			for _, place := range []string{"vip:80", "node6:80"} {
				r.stays(t, "tcp", place)
			}
			r.stays(t, "udp", "vip6:80")
		},
	}}}
}

// stays holds that each client address has its endpoint, and that they are not
// all the same.
func (r *running) stays(t *testing.T, network, place string) map[int]string {
	t.Helper()
	of, all := map[int]string{}, map[string]bool{}
	for i := 1; i <= lab.Clients; i++ {
		of[i] = r.ask(t, i, network, place)
		all[of[i]] = true
		for range 2 {
			if name := r.ask(t, i, network, place); name != of[i] {
				t.Errorf("%s %s: client %d gets %s after %s", network, place, i, name, of[i])
			}
		}
	}
	if len(all) < 2 {
		t.Errorf("%s %s: %d clients all get one of three: %v", network, place, lab.Clients, all)
	}
	return of
}

// maglevRow removes one endpoint: the clients of the others stay, nearly all.
func maglevRow() row {
	of := map[int]string{}
	return row{name: "maglev, an endpoint goes", steps: []step{
		{
			objects: []thing{service("web", "80", balance("maglev")), endpoints("web", p1, p2, n2a, n2b)},
			also: func(t *testing.T, r *running) {
				clear(of)
				for i := 1; i <= lab.Clients; i++ {
					of[i] = r.ask(t, i, "tcp", "vip:80")
				}
			},
		}, {
			objects: []thing{service("web", "80", balance("maglev")), endpoints("web", p1, p2, n2b)},
			also: func(t *testing.T, r *running) {
				moved, stayed := 0, 0
				for i, was := range of {
					if now := r.ask(t, i, "tcp", "vip:80"); was != "n2a" && now != was {
						moved++
					} else if was != "n2a" {
						stayed++
					}
				}
				if moved > stayed/4 {
					t.Errorf("%d clients moved and %d stayed, though their endpoints did", moved, stayed)
				}
			},
		},
	}}
}

// affinityRows are about clients that stay with an endpoint for a time.
func affinityRows() []row {
	sticks := func(who string) string {
		return `client,n2,p2,edge tcp,udp all:80 = sticks ` + who
	}
	web := service("web", "80 80/udp", everywhere, affinity(10800))
	return []row{
		{name: "affinity", steps: []step{
			{objects: []thing{web, endpoints("web", p1, n2a, n2b)}, packets: sticks("p1 n2a n2b")},
			{objects: []thing{web, endpoints("web", p2)}, packets: sticks("p2")}, // forgotten at once
			{objects: []thing{web, endpoints("web", p1, p2)}, packets: sticks("p2")},
			{objects: []thing{service("web", "80 80/udp", everywhere), endpoints("web", p1, p2)},
				packets: `client,n2,p2,edge tcp,udp all:80 = p1 p2`},
			{objects: []thing{web, endpoints("web", p1, p2)}, packets: sticks("p1 p2")},
		}},
		{name: "affinity, one endpoint of many goes", steps: []step{
			{objects: []thing{service("web", "80", affinity(600)), endpoints("web", p1, p2, n2a)},
				also: func(t *testing.T, r *running) { r.remember(t) }},
			{objects: []thing{service("web", "80", affinity(600)), endpoints("web", p1, n2a)},
				also: func(t *testing.T, r *running) { r.compare(t, "p2") }},
		}},
		{name: "affinity, external policy Local", steps: []step{{
			objects: []thing{service("web", "80", balancer, external, affinity(600)), endpoints("web", p1, p2, n2a)},
			packets: `
				client,n2 tcp lbs:80,nodes:80 = sticks p1 p2
				p2,edge tcp lbs:80,nodes:80 = sticks p1 p2 n2a`,
		}}},
		{name: "affinity ends", steps: []step{{
			objects: []thing{service("web", "80 80/udp", affinity(2)), endpoints("web", p1, n2a)},
			also:    func(t *testing.T, r *running) { r.expires(t) },
		}}},
	}
}

// remember notes each client's endpoint.
func (r *running) remember(t *testing.T) {
	t.Helper()
	for i := 1; i <= lab.Clients; i++ {
		_, a6 := lab.Further(i)
		r.seen[a6.String()] = r.ask(t, i, "tcp", "vip6:80")
	}
}

// compare holds that all clients have the endpoint they had, but those of the
// one that is gone.
func (r *running) compare(t *testing.T, gone string) {
	t.Helper()
	for i := 1; i <= lab.Clients; i++ {
		_, a6 := lab.Further(i)
		was, now := r.seen[a6.String()], r.ask(t, i, "tcp", "vip6:80")
		if now != was && was != gone || now == gone {
			t.Errorf("client %v: had %s and gets %s", a6, was, now)
		}
	}
}

// expires asks for all clients, waits for longer than the affinity lasts, and
// asks again: by chance alone all have the same endpoint again once in 2^40.
// Real time passes here, as that is what is tested.
func (r *running) expires(t *testing.T) {
	t.Helper()
	if r.mode == ipvs {
		t.Skip("reason: ipvs keeps a client's template as long as its connections, and those are in TIME_WAIT for two minutes")
	}
	was := map[int]string{}
	for i := 1; i <= lab.Clients; i++ {
		was[i] = r.ask(t, i, "udp", "vip:80")
	}
	pause(t, 3*time.Second)
	for i, before := range was {
		if r.ask(t, i, "udp", "vip:80") != before {
			return
		}
	}
	t.Errorf("%d clients all have the endpoint they had, 3 s after their last packet and with a timeout of 2 s", len(was))
}
