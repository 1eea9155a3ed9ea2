package status

import (
	"context"
	"maps"
	"time"

	"golang.org/x/time/rate"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	eventRate, eventBurst = 20, 50 // Events a second
	// maxSyncs is how many Sync Events may wait; at the rate above that is
	// 50 s, and an Event that is later than that is of no use to anybody.
	maxSyncs  = 1000
	eventWait = time.Minute // the longest pause after failures
)

// A reporter writes Events, in each term of this replica's. It compares what is with what was
// told, so an Event that can't be written now is written later, if it is still
// true by then.
type reporter struct {
	*Writer
	limit   *rate.Limiter
	told    map[notice]bool
	waiting []notice // warnings that are not told yet
	// known holds the version of each Ingress by which it was scheduled.
	known   map[types.NamespacedName]*networkingv1.Ingress
	syncs   []*networkingv1.Ingress
	lost    int // Events, since the last word of it in the log
	pause   time.Duration
	trouble string // the error that was logged last
}

func newReporter(w *Writer) *reporter {
	return &reporter{
		Writer: w,
		limit:  rate.NewLimiter(eventRate, eventBurst),
		told:   map[notice]bool{},
		known:  map[types.NamespacedName]*networkingv1.Ingress{},
	}
}

// run writes Events one after the other, warnings first, and looks at each new
// state in between.
func (r *reporter) run(ctx context.Context) {
	var seen *State
	for {
		state, changed := r.latest()
		if state != seen {
			seen = state
			r.compare(state)
		}
		if len(r.waiting) == 0 && len(r.syncs) == 0 {
			r.mourn()
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
			continue
		}
		if !r.wait(ctx) {
			return
		}
		r.next(ctx)
	}
}

// wait keeps to the rate, and to the pause after a failure. It is false when
// ctx ends.
func (r *reporter) wait(ctx context.Context) bool {
	if r.limit.Wait(ctx) != nil {
		return false
	}
	if r.pause == 0 {
		return true
	}
	timer := time.NewTimer(r.pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// compare finds what is new in a state.
func (r *reporter) compare(s *State) {
	r.waiting = nil
	told := map[notice]bool{}
	for _, n := range warnings(s) {
		if r.told[n] {
			told[n] = true
		} else {
			r.waiting = append(r.waiting, n)
		}
	}
	r.told = told // what is gone is told again when it comes back
	if r.o.SyncEvents {
		r.schedule(s)
	}
}

// schedule finds Ingresses that are new or were changed, other than in their
// status.
func (r *reporter) schedule(s *State) {
	known := make(map[types.NamespacedName]*networkingv1.Ingress, len(s.Ingresses))
	for _, ing := range s.Ingresses {
		before := r.known[keyOf(ing)]
		known[keyOf(ing)] = ing
		if before == ing || before != nil && sameContent(before, ing) {
			continue
		}
		if len(r.syncs) >= maxSyncs {
			r.lost++
			continue
		}
		r.syncs = append(r.syncs, ing)
	}
	r.known = known
}

func sameContent(a, b *networkingv1.Ingress) bool {
	return a.UID == b.UID && a.Generation == b.Generation && maps.Equal(a.Annotations, b.Annotations)
}

// next writes one Event.
func (r *reporter) next(ctx context.Context) {
	var n notice
	warning := len(r.waiting) > 0
	if warning {
		n = r.waiting[0]
	} else {
		n = synced(r.syncs[0])
	}
	limited, cancel := context.WithTimeout(ctx, eventTime)
	defer cancel()
	err := event(limited, r.o.Client, n, r.o.Component, r.o.PodName)
	if ctx.Err() != nil {
		return
	}
	if err != nil && !r.failed(err) {
		return // and tried again
	}
	if err == nil {
		r.pause, r.trouble = 0, ""
	}
	if warning {
		r.told[n] = true
		r.waiting = r.waiting[1:]
	} else {
		r.syncs = r.syncs[1:]
	}
}

// failed says whether the Event that failed is lost.
func (r *reporter) failed(err error) bool {
	if final(err) {
		r.lost++
		r.permissions.refused(err, "create, patch events")
		return true
	}
	r.pause = min(max(2*r.pause, firstPause), eventWait)
	if err.Error() != r.trouble {
		r.trouble = err.Error()
		r.log.Warn("events can't be written for now", "error", err)
	}
	return false
}

// mourn logs how many Events were never written.
func (r *reporter) mourn() {
	if r.lost > 0 {
		r.log.Warn("events were left out", "events", r.lost)
		r.lost = 0
	}
}
