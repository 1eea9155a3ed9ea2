package iptables

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"testing"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

func endpoints(weights ...uint16) []plan.Endpoint {
	var all []plan.Endpoint
	for i, w := range weights {
		a := netip.AddrFrom4([4]byte{10, 244, byte(i >> 8), byte(i)})
		all = append(all, plan.Endpoint{Address: netip.AddrPortFrom(a, 80), Weight: w})
	}
	return all
}

func ones(n int) []uint16 {
	all := make([]uint16, n)
	for i := range all {
		all[i] = 1
	}
	return all
}

// What each rule lets through of what is left adds up to the weights.
func TestChances(t *testing.T) {
	for _, weights := range [][]uint16{{1}, {1, 1, 1}, {3, 1}, {100, 1, 50}, {0, 1}, ones(5000)} {
		pool := endpoints(weights...)
		total := 0
		for _, e := range pool {
			total += weight(e)
		}
		left := 1.0
		for i, r := range byChance(pool, make([]string, len(pool))) {
			p := 1.0
			if s := word(r, "--probability"); s != "" {
				p, _ = strconv.ParseFloat(s, 64)
			} else if i != len(pool)-1 {
				t.Errorf("%v: rule %d takes everything", weights[:min(9, len(weights))], i)
			}
			if got, want := left*p, float64(weight(pool[i]))/float64(total); math.Abs(got-want) > want/1000 {
				t.Errorf("%v: endpoint %d gets %f, wants %f", weights[:min(9, len(weights))], i, got, want)
			}
			left *= 1 - p
		}
	}
}

func shares(slots []int) map[int]int {
	n := map[int]int{}
	for _, i := range slots {
		n[i]++
	}
	return n
}

func TestSlots(t *testing.T) {
	for _, balance := range []plan.Balance{plan.SourceHash, plan.Maglev} {
		for _, weights := range [][]uint16{{1}, {1, 1}, ones(7), {3, 1}, {100, 1}, ones(300)} {
			t.Run(fmt.Sprint(balance, len(weights), weights[0]), func(t *testing.T) {
				pool := endpoints(weights...)
				d := &draft{port: &plan.Port{Balance: balance}}
				total := 0
				for _, w := range weights {
					total += int(w)
				}
				got := shares(d.slots(pool))
				for i, w := range weights {
					want := slotCount * float64(w) / float64(total)
					if math.Abs(float64(got[i])-want) > 2+want/100 {
						t.Errorf("endpoint %d has %d slots, wants %.1f", i, got[i], want)
					}
				}
			})
		}
	}
	d := &draft{port: &plan.Port{Balance: plan.SourceHash}}
	if got := d.slots(endpoints(ones(5000)...)); len(got) != slotCount {
		t.Errorf("%d slots", len(got))
	}
	if got := maglev(endpoints(ones(5000)...)); len(got) != slotCount {
		t.Errorf("%d slots", len(got))
	}
}

// When one of ten endpoints goes, nearly all slots of the others stay theirs.
func TestMaglevKeeps(t *testing.T) {
	all := endpoints(ones(10)...)
	before, after := maglev(all), maglev(all[:9])
	moved := 0
	for s := range before {
		if before[s] != 9 && before[s] != after[s] {
			moved++
		}
	}
	if moved > slotCount/10 {
		t.Errorf("%d of %d slots moved without need", moved, slotCount)
	}
}
