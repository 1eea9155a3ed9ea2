package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// programFew programs a lane while there are few Services. Its rules stay as
// they are when the program has ended.
func (b *bench) programFew(s *lab.Session) {
	if b.sparse != nil || !b.wanted.Has(connects) {
		return
	}
	b.sparse = &figures{}
	b.world.populate(s, b.few)
	b.sparse.err = lab.Attempt(ours, os.Stderr, func(s *lab.Session) {
		b.sparse.lane = b.world.newLane(s)
		r := b.world.begin(s, newContestant(s, ours), b.sparse.lane)
		r.awaitServices(s, b.few)
		r.settle(s)
		r.Stop(s)
	})
}

// fewName stands for ours at few Services, where lanes are told by name.
const fewName = "few"

// A block is the connects of one lane in one round.
const (
	blockConnects = 300
	blockWarmUp   = 30
)

// connectRows compare how long connect(2) takes, through lanes that stay
// programmed while no program runs: what the kernel does, and no more.
func (b *bench) connectRows(s *lab.Session) []lab.Row {
	const mostGrowth, mostOfRival = 1.15, 1.0
	many := b.of(s, ours)
	if b.sparse.err != nil {
		s.Fatalf("%s with few Services: %v", ours, b.sparse.err)
	}
	names := append([]string{fewName, ours}, rivals()...)
	lanes := map[string]*lane{fewName: b.sparse.lane, ours: many.lane}
	for _, name := range rivals() {
		lanes[name] = b.of(s, name).lane
	}
	times := b.interleave(s, names, lanes)
	compare := func(measure, reach, other string, most float64) lab.Row {
		ratio, of := paired(times[ours], times[other])
		return versus(measure, reach, ratio, ratio <= most, of)
	}
	through := "TCP connect through a ClusterIP"
	return []lab.Row{
		compare(fmt.Sprintf("%s at %d ÷ at %d Services", through, b.services, b.few), fmt.Sprintf("≤ %.2f", mostGrowth), fewName, mostGrowth),
		compare(fmt.Sprintf("%s at %d Services ÷ %s", through, b.services, kubeNftables), fmt.Sprintf("≤ %.1f", mostOfRival), kubeNftables, mostOfRival),
		compare(fmt.Sprintf("%s at %d Services ÷ %s", through, b.services, kubeIptables), "", kubeIptables, mostOfRival),
	}
}

// interleave gives each lane's median in each round. All lanes take part in
// each round, in another order each time.
func (b *bench) interleave(s *lab.Session, names []string, lanes map[string]*lane) map[string][]float64 {
	times := map[string][]float64{}
	for round := range b.rounds + 1 {
		seed := rand.Uint64()
		order := slices.Clone(names)
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, name := range order {
			n := b.services
			if name == fewName {
				n = b.few
			}
			t := lanes[name].block(s, n, seed)
			if round > 0 { // the first warms up
				times[name] = append(times[name], float64(t))
			}
		}
	}
	return times
}

// block connects to Services at random, the same ones for the same seed, and
// gives the median time.
func (l *lane) block(s *lab.Session, services int, seed uint64) time.Duration {
	times := make([]time.Duration, 0, blockConnects)
	pick := rand.New(rand.NewPCG(seed, 0))
	l.client.do(s, func() {
		for i := range blockConnects + blockWarmUp {
			took, err := touch(front(pick.IntN(services)))
			s.Must(err, "connection through a ClusterIP")
			if i >= blockWarmUp {
				times = append(times, took)
			}
		}
	})
	return lab.Quantile(times, 0.5)
}

// paired is the median of the ratios by round: what slows the whole machine for
// a while slows both sides of one.
func paired(a, b []float64) (ratio float64, of string) {
	each := make([]float64, len(a))
	for i := range a {
		each[i] = a[i] / b[i]
	}
	return lab.Median(each), fmt.Sprintf("%d rounds in turn, half of them from %.2f to %.2f; medians %.0f µs ÷ %.0f µs",
		len(each), lab.Quantile(each, 0.25), lab.Quantile(each, 0.75), lab.Median(a)/1e3, lab.Median(b)/1e3)
}
