package nftables

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

var comparable = cmpopts.EquateComparable(netip.AddrPort{})

func TestAssignMovesLittle(t *testing.T) {
	b := builder(plan.IPv4)
	for _, c := range []struct {
		name     string
		old, now []int
		want     []int // by slot
	}{
		{"new", nil, []int{1, 2, 3}, []int{1, 2, 3}},
		{"the same in another order", []int{3, 1, 2}, []int{1, 2, 3}, []int{3, 1, 2}},
		{"one more", []int{1, 3}, []int{1, 2, 3}, []int{1, 3, 2}},
		{"the first goes", []int{1, 2, 3, 4}, []int{2, 3, 4}, []int{4, 2, 3}},
		{"the last goes", []int{1, 2, 3}, []int{1, 2}, []int{1, 2}},
		{"one for another", []int{1, 2, 3}, []int{1, 3, 4}, []int{1, 4, 3}},
		{"all but the last go", []int{1, 2, 3}, []int{3}, []int{3}},
		{"all go", []int{1, 2}, nil, nil},
	} {
		var old, want []netip.AddrPort
		for _, e := range b.pods(c.old...) {
			old = append(old, e.Address)
		}
		for _, e := range b.pods(c.want...) {
			want = append(want, e.Address)
		}
		if diff := cmp.Diff(want, assign(old, b.pods(c.now...)), comparable, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestAssignGivesEachItsShare(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	b := builder(plan.IPv6)
	var slots []netip.AddrPort
	for range 500 {
		pool := b.pods(random.Perm(40)[:random.IntN(20)+1]...)
		for i := range pool {
			pool[i].Weight = uint16(1 + random.IntN(plan.MaxWeight))
		}
		slots = assign(slots, pool)
		got := map[netip.AddrPort]int{}
		for _, e := range slots {
			got[e]++
		}
		if diff := cmp.Diff(shares(pool), got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}

func TestSharesAreBounded(t *testing.T) {
	b := builder(plan.IPv4)
	numbers := make([]int, 5000)
	for i := range numbers {
		numbers[i] = i
	}
	pool := b.pods(numbers...)
	for i := range pool {
		pool[i].Weight = uint16(1 + i%plan.MaxWeight)
	}
	if n := len(assign(nil, pool)); n < len(pool) || n > maxSlots+len(pool) {
		t.Errorf("%d endpoints got %d slots", len(pool), n)
	}
}

func TestRoom(t *testing.T) {
	for _, c := range []struct{ old, n, want int }{
		{0, 0, 0}, {0, 1, 1}, {1, 2, 2}, {2, 1, 2}, {2, 3, 4}, {4, 3, 4}, {4, 1, 4}, {4, 5, 8},
		{8, 5, 8}, {8, 3, 8}, {8, 2, 2}, {0, 5000, 8192}, {8192, 100, 128}, {16, 0, 16},
	} {
		if got := room(c.old, c.n); got != c.want {
			t.Errorf("room(%d, %d) is %d, want %d", c.old, c.n, got, c.want)
		}
	}
}

// TestElasticBalancersAreFair works out how likely each slot is.
func TestElasticBalancersAreFair(t *testing.T) {
	f := familyOf(plan.IPv4)
	for size := 1; size <= 512; size *= 2 {
		for n := 1; n <= size; n++ {
			if room(size, n) != size {
				continue
			}
			likely, left := make([]float64, n), 1.0
			for _, l := range append(f.choices(balancer{balance: plan.Random, slots: size}), random(1)) {
				var mod int
				if _, err := fmt.Sscanf(l.text, "numgen random mod %d", &mod); err != nil {
					t.Fatal(err)
				}
				hit := min(n, mod)
				for i := range hit {
					likely[i] += left / float64(mod)
				}
				left -= left * float64(hit) / float64(mod)
			}
			// New ports have more than half of their slots filled.
			bound := 0.2
			if 2*n > size {
				bound = 0.04
			}
			if worst := slices.Max(likely) * float64(n); worst > 1+bound || left > 1e-9 {
				t.Errorf("%d of %d: the luckiest gets %.3f of its share; %g get none", n, size, worst, left)
			}
			if least := slices.Min(likely) * float64(n); least < 1-bound {
				t.Errorf("%d of %d: the unluckiest gets %.3f of its share", n, size, least)
			}
		}
	}
}

func TestMaglevIsEvenAndStays(t *testing.T) {
	b := builder(plan.IPv4)
	for _, n := range []int{1, 2, 3, 10, 25, 40, 100} {
		numbers := make([]int, n)
		for i := range numbers {
			numbers[i] = i
		}
		table := maglev(b.pods(numbers...))
		got := map[netip.AddrPort]int{}
		for _, e := range table {
			got[e]++
		}
		if len(got) != n {
			t.Errorf("%d endpoints: %d have slots", n, len(got))
		}
		for e, slots := range got {
			if math.Abs(float64(slots)-float64(len(table))/float64(n)) > 1 {
				t.Errorf("%d endpoints: %s has %d of %d slots", n, e, slots, len(table))
			}
		}
		if n < 3 {
			continue
		}
		less, moved := maglev(b.pods(numbers[1:]...)), 0
		if len(less) != len(table) {
			continue
		}
		for i, e := range table {
			if e != b.pods(0)[0].Address && e != less[i] {
				moved++
			}
		}
		if moved > len(table)/4 {
			t.Errorf("%d endpoints: without one, %d of %d slots of others moved", n, moved, len(table))
		}
	}
}

func TestSlotsInName(t *testing.T) {
	name := "local-random-2.pod-random-4.node-masq-random-4"
	if c, l := slotsIn(name, plan.Random, false), slotsIn(name, plan.Random, true); c != 4 || l != 2 {
		t.Errorf("%s has %d and locally %d slots, want 4 and 2", name, c, l)
	}
	if n := slotsIn(name, plan.SourceHash, false); n != 0 {
		t.Errorf("%s has %d slots of another balance", name, n)
	}
}

func TestShardsAreNotSharedUntilTheyMustBe(t *testing.T) {
	s := newShards()
	seen := map[int]int{}
	for i := range shardCount + 1 {
		p := builder(plan.IPv4).port(fmt.Sprint(i))
		p.Balance = plan.RoundRobin
		shard := s.take(p)
		if again := s.take(p); again != shard {
			t.Fatalf("%s has shard %d and then %d", p.ID, shard, again)
		}
		seen[shard]++
	}
	if len(seen) != shardCount {
		t.Errorf("%d shards are used", len(seen))
	}
}
