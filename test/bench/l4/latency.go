package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// Between two trials there is a random pause of up to kube-proxy's default
// minimum of time between two syncs. So a change meets it at a random phase, as
// where something changes all the time.
const pause = time.Second

// latencyRows tell how soon a changed EndpointSlice is followed.
func (b *bench) latencyRows(s *lab.Session) []lab.Row {
	const p99, sooner = 20 * time.Millisecond, 20
	us := b.of(s, ours)
	m, n := lab.Quantile(us.live, 0.5), lab.Quantile(us.live, 0.99)
	rows := []lab.Row{{
		Measure:  fmt.Sprintf("EndpointSlice changed at %d Services → new connections go to the new endpoints", b.services),
		Reach:    fmt.Sprintf("p99 ≤ %d ms", p99.Milliseconds()),
		Measured: fmt.Sprintf("p50 %s, p99 %s", lab.MS(m), lab.MS(n)),
		Verdict:  lab.VerdictOf(n <= p99),
		Of:       fmt.Sprintf("%d trials, max %s; from sending the change to the API server", len(us.live), lab.MS(lab.Quantile(us.live, 1))),
	}}
	for _, name := range rivals() {
		them := b.of(s, name)
		theirs := lab.Quantile(them.live, 0.5)
		ratio := float64(theirs) / float64(m)
		of := fmt.Sprintf("medians %s ÷ %s; %d trials of kube-proxy, %s to %s",
			lab.MS(theirs), lab.MS(m), len(them.live), lab.MS(slices.Min(them.live)), lab.MS(slices.Max(them.live)))
		rows = append(rows, versus("the same, "+name+" with its default settings ÷ ours", fmt.Sprintf("≥ %d", sooner), ratio, ratio >= sooner, of))
	}
	return rows
}

// trialsOf changes one Service after the other.
func (b *bench) trialsOf(s *lab.Session, r *run, f *figures) {
	trials := b.trials
	if r.who.name != ours {
		trials /= 8
	}
	r.lane.client.do(s, func() {
		for i := range trials {
			f.live = append(f.live, b.world.trial(s, 1+i*(b.services-1)/trials))
			time.Sleep(rand.N(pause))
		}
	})
	s.Logf("a change is live after %s, at most %s", lab.MS(lab.Quantile(f.live, 0.5)), lab.MS(lab.Quantile(f.live, 1)))
}

// trial gives a Service new endpoints and connects until one of them answers.
// It needs the client's thread.
func (w *world) trial(s *lab.Session, i int) time.Duration {
	const never = time.Minute
	next := []netip.Addr{w.address(), w.address()}
	w.endpoints[i] = next
	done := make(chan error, 1)
	start := time.Now()
	go func() { done <- w.move(context.Background(), i, next...) }()
	for {
		v, err := call(front(i))
		s.Must(err, "connection while an endpoint changes")
		took := time.Since(start)
		if slices.Contains(next, v.by) {
			s.Must(<-done, "change at the API server")
			return took
		}
		if took > never {
			s.Fatalf("a change was not followed within %v", never)
		}
		time.Sleep(200 * time.Microsecond) // leaves the cores of a small machine to those who are measured
	}
}
