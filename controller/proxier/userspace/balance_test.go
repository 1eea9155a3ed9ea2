package userspace

import (
	"math"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

func pool(weights ...uint16) []plan.Endpoint {
	var all []plan.Endpoint
	for i, w := range weights {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}), 80)
		all = append(all, plan.Endpoint{Address: a, Weight: w})
	}
	return all
}

func clientNo(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})
}

func TestRoundRobin(t *testing.T) {
	for name, c := range map[string]struct {
		weights []uint16
		want    []int
	}{
		"even":   {[]uint16{1, 1, 1}, []int{0, 1, 2, 0, 1, 2}},
		"heavy":  {[]uint16{5, 5}, []int{0, 1, 0, 1}},
		"uneven": {[]uint16{3, 1}, []int{0, 0, 1, 0, 0, 0, 1, 0}},
	} {
		turns := newTurns(pool(c.weights...), plan.ModeDefault, nil)
		var got []int
		for range c.want {
			got = append(got, turns.first(clientNo(0)))
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestRoundRobinGoesOn(t *testing.T) {
	before := newTurns(pool(1, 1, 1), plan.RoundRobin, nil)
	before.first(clientNo(0))
	after := newTurns(pool(1, 1, 1, 1), plan.RoundRobin, before)
	if got := after.first(clientNo(0)); got != 1 {
		t.Errorf("after a change the turn is %d's, want 1's", got)
	}
	fewer := newTurns(pool(1), plan.RoundRobin, after)
	if got := fewer.first(clientNo(0)); got != 0 {
		t.Errorf("of one endpoint the turn is %d's", got)
	}
}

// Every way gives endpoints their share by weight.
func TestShares(t *testing.T) {
	weights := []uint16{1, 2, 5}
	const n = 40000
	for _, b := range []plan.Balance{plan.ModeDefault, plan.Random, plan.RoundRobin, plan.SourceHash, plan.Maglev} {
		turns := newTurns(pool(weights...), b, nil)
		got := make([]float64, len(weights))
		for i := range n {
			got[turns.first(clientNo(i))]++
		}
		for i, w := range weights {
			want := n * float64(w) / 8
			// Five standard deviations of the binomial distribution.
			if math.Abs(got[i]-want) > 5*math.Sqrt(want*(1-float64(w)/8)) {
				t.Errorf("balance %d: endpoint %d of weight %d got %v, want about %v", b, i, w, got[i], want)
			}
		}
	}
}

func TestHashesStay(t *testing.T) {
	for _, b := range []plan.Balance{plan.SourceHash, plan.Maglev} {
		one, other := newTurns(pool(1, 1, 1), b, nil), newTurns(pool(1, 1, 1), b, nil)
		for i := range 1000 {
			if one.first(clientNo(i)) != other.first(clientNo(i)) {
				t.Fatalf("balance %d: two nodes differ on client %d", b, i)
			}
		}
	}
}

func TestMaglevMovesFew(t *testing.T) {
	all := pool(1, 1, 1, 1, 1)
	before := newTurns(all, plan.Maglev, nil)
	after := newTurns(all[:4], plan.Maglev, before) // the last one is gone
	for i := range 5000 {
		was, is := before.first(clientNo(i)), after.first(clientNo(i))
		if was != 4 && was != is {
			t.Fatalf("client %d was moved from %d to %d, and neither is gone", i, was, is)
		}
	}
}
