package main

import (
	"fmt"
	"os"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// figures are what was taken of one contestant while it alone was at work.
type figures struct {
	err  error // why there are none
	lane *lane // it is left programmed

	syncs    []time.Duration // the first complete sync of each start
	syncCPU  []time.Duration // from the start until Services are served and it is idle
	rss, pss int64           // bytes, settled
	live     []time.Duration // from a changed EndpointSlice to the first new connection that follows it
	churnCPU time.Duration
	churned  string // how fast the changes were written
}

// of gives the figures of a contestant, and ends the session where there are
// none. The first call takes those of all measures that were asked for, so that
// a contestant need not start anew for each.
func (b *bench) of(s *lab.Session, name string) *figures {
	f := b.visits[name]
	if f == nil {
		f = &figures{}
		b.visits[name] = f
		f.err = lab.Attempt(name, os.Stderr, func(s *lab.Session) {
			b.programFew(s)
			b.world.populate(s, b.services)
			b.visit(s, newContestant(s, name), f)
		})
	}
	if f.err != nil {
		s.Fatalf("%s: %v", name, f.err)
	}
	return f
}

// visit takes the figures of a contestant that runs alone.
func (b *bench) visit(s *lab.Session, c contestant, f *figures) {
	starts := 1
	if c.name == ours && b.wanted.Has(program) {
		starts = 3 // it is quick
	}
	var r *run
	for i := range starts {
		f.lane = b.world.newLane(s)
		r = b.world.begin(s, c, f.lane)
		r.awaitServices(s, b.services)
		r.settle(s)
		if i == starts-1 && b.wanted.Has(memory) {
			f.rss, f.pss = r.memory(s) // before anybody asks for metrics, which is no idleness
			s.Logf("RSS %s, PSS %s", mb(f.rss), mb(f.pss))
		}
		f.syncCPU = append(f.syncCPU, r.cpu(s))
		f.syncs = append(f.syncs, r.firstSync(s))
		s.Logf("first sync %v, CPU since its start %v", f.syncs[i], f.syncCPU[i])
		if i < starts-1 {
			r.Stop(s)
		}
	}
	if b.wanted.Has(latency) {
		b.trialsOf(s, r, f)
	}
	if b.wanted.Has(churn) {
		b.churnOf(s, r, f)
	}
	r.Stop(s)
}

// firstSync is how long the complete syncs took that have made all Services
// served.
func (r *run) firstSync(s *lab.Session) time.Duration {
	took, count := r.fullSync(s)
	if count == 0 {
		s.Fatalf("%s serves all Services, and says it had no complete sync", r.who.name)
	}
	return took
}

func mb(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// versus is the row of a ratio of two contestants' figures.
func versus(measure, reach string, ratio float64, ok bool, of string) lab.Row {
	row := lab.Row{Measure: measure, Reach: reach, Measured: fmt.Sprintf("%.3g", ratio), Verdict: lab.Unasked, Of: of}
	if reach != "" {
		row.Verdict = lab.VerdictOf(ok)
	}
	return row
}
