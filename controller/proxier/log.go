package proxier

import (
	"fmt"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// logEvery is the least time between two lines of rounds: a Service that flaps
// fills no disk.
const logEvery = time.Second

// A tally is rounds that come in one line.
type tally struct {
	since   time.Time // the last line
	rounds  int
	full    bool
	ports   int // in the plan
	changes int
	refused int
	took    time.Duration // all rounds together
	first   plan.Service  // that changed
	others  bool          // another one changed too
}

func (t *tally) add(r *Round) {
	t.rounds++
	t.full = t.full || r.Full
	t.ports, t.refused = len(r.Plan.Ports), r.Refused
	t.changes += len(r.Changes)
	t.took += r.Took
	for _, c := range r.Changes {
		if t.first == (plan.Service{}) {
			t.first = c.ID.Service
		}
		t.others = t.others || c.ID.Service != t.first
	}
}

// which names what changed.
func (t *tally) which() string {
	switch {
	case t.first == (plan.Service{}):
		return "none"
	case t.others:
		return fmt.Sprintf("%s and others", t.first)
	}
	return t.first.String()
}

// write logs what the kernel took since the last line, unless that is too new.
func (p *Proxier) write(now time.Time) {
	if now.Sub(p.rounds.since) >= logEvery {
		p.flush()
	}
}

func (p *Proxier) flush() {
	t := &p.rounds
	if t.rounds == 0 {
		return
	}
	p.log.Info("programmed", "services", t.which(), "full", t.full, "ports", t.ports, "changes", t.changes,
		"rounds", t.rounds, "refused", t.refused, "took", t.took)
	p.rounds = tally{since: time.Now()}
}
