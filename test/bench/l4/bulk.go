package main

import (
	"fmt"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// bulkRows compare the first complete sync of very many Services with the time
// that the same elements take by netlink alone.
func (b *bench) bulkRows(s *lab.Session) []lab.Row {
	const rounds, most = 3, 10
	c := newContestant(s, ours)
	b.programFew(s)
	b.world.populate(s, b.bulk)
	var raw, syncs []time.Duration
	for range rounds {
		raw = append(raw, insertRaw(s, b.bulk))
		r := b.world.begin(s, c, b.world.newLane(s))
		r.awaitServices(s, b.bulk)
		r.settle(s)
		syncs = append(syncs, r.firstSync(s))
		r.Stop(s)
		s.Logf("raw %v, ours %v", raw[len(raw)-1], syncs[len(syncs)-1])
	}
	ratio := seconds(syncs) / seconds(raw)
	return []lab.Row{versus(
		fmt.Sprintf("programming %d Services × 2 endpoints, ours ÷ raw netlink", b.bulk), fmt.Sprintf("≤ %d", most), ratio, ratio <= most,
		fmt.Sprintf("medians of %d, in turn: %.3f s ÷ %.3f s for %d map elements", rounds, seconds(syncs), seconds(raw), 3*b.bulk))}
}
