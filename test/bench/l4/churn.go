package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// churnRows compare the CPU time that changes of single endpoints take.
func (b *bench) churnRows(s *lab.Session) []lab.Row {
	const least = 20
	us := b.of(s, ours)
	var rows []lab.Row
	for _, name := range rivals() {
		them := b.of(s, name)
		ratio := them.churnCPU.Seconds() / us.churnCPU.Seconds()
		rows = append(rows, versus(
			fmt.Sprintf("CPU seconds for %d single-endpoint changes at %d Services, %s ÷ ours", b.changes, b.services, name),
			fmt.Sprintf("≥ %d", least), ratio, ratio >= least,
			fmt.Sprintf("%.2f s, %s, ÷ %.2f s, %s; user and system time with that of children", them.churnCPU.Seconds(), them.churned, us.churnCPU.Seconds(), us.churned)))
	}
	return rows
}

// churnOf replaces one endpoint of another Service at a steady rate, and takes
// the CPU time from before the first change until the last one is followed and
// the contestant is idle again.
func (b *bench) churnOf(s *lab.Session, r *run, f *figures) {
	r.settle(s)
	before := r.cpu(s)
	start := time.Now()
	tick := time.NewTicker(time.Second / time.Duration(b.rate))
	defer tick.Stop()
	last := 0
	for i := range b.changes {
		<-tick.C
		last = i * 7 % b.services // 7 and ten thousand have no divisor in common
		s.Must(b.world.replaceOne(context.Background(), last), "change at the API server")
	}
	took := time.Since(start)
	r.awaitFollowed(s, b.world, last)
	r.settle(s)
	f.churnCPU = r.cpu(s) - before
	f.churned = fmt.Sprintf("%.0f changes a second", float64(b.changes)/took.Seconds())
	s.Logf("%d changes, %s: CPU %v", b.changes, f.churned, f.churnCPU)
}

// replaceOne puts a fresh endpoint in the place of a Service's first.
func (w *world) replaceOne(ctx context.Context, i int) error {
	w.endpoints[i] = append(slices.Clone(w.endpoints[i][1:]), w.address())
	return w.move(ctx, i, w.endpoints[i]...)
}

// awaitFollowed waits until the endpoint that a Service got last has answered.
func (r *run) awaitFollowed(s *lab.Session, w *world, i int) {
	newest := w.endpoints[i][len(w.endpoints[i])-1]
	r.lane.client.do(s, func() {
		r.Await(s, fmt.Sprintf("%s answers", newest), func() bool {
			v, err := call(front(i))
			return err == nil && v.by == newest
		})
	})
}
