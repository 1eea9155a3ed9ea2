package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// Ingresses a second, each of them a read and a write.
	statusRate, statusBurst = 50, 100

	firstPause = time.Second // after a failure; it doubles up to the interval
)

// An addresser keeps the addresses in the status of Ingresses for one term.
type addresser struct {
	*Writer
	write   *statusWriter
	found   addresses
	foundAt time.Time // zero before the first time
	lookAt  time.Time // of the last try
	lookErr error     // what it came to
	// outcomes are those of Ingresses that were written. The store may go on
	// showing an older status than that.
	outcomes map[types.NamespacedName]outcome
	trouble  string // kindOf the error that was logged last
	// try counts the timer's ticks. What failed is left alone until the next.
	try    int
	pause  time.Duration // until the next, after a failure
	paused int           // the try that pause is of
}

// An outcome is that of writing one version of an Ingress.
type outcome struct {
	version *networkingv1.Ingress
	wanted  string
	err     error
	try     int
}

func newAddresser(w *Writer) *addresser {
	return &addresser{Writer: w, write: w.statusWriter(statusRate, statusBurst)}
}

// run writes what differs when the state changes, and looks at the addresses
// each interval.
func (a *addresser) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var next time.Time // tick of the timer
	for ctx.Err() == nil {
		state, changed := a.latest()
		if state != nil {
			wait, more := a.round(ctx, state)
			if more { // with what is new by now
				continue
			}
			// Changes must not put the tick off.
			if left := time.Until(next); left <= 0 || wait < left {
				timer.Reset(wait)
				next = time.Now().Add(wait)
			}
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
			a.try++
			a.write.forgive()
		}
	}
}

// round returns how long to wait before the next one, or that there is more to
// do at once.
func (a *addresser) round(ctx context.Context, state *State) (wait time.Duration, more bool) {
	err := a.look(ctx)
	if err == nil {
		more, err = a.update(ctx, state)
	}
	switch {
	case more || ctx.Err() != nil:
		return 0, true
	case err == nil:
		a.pause, a.trouble = 0, ""
		return a.o.Interval, false
	case a.pause == 0 || a.paused != a.try:
		a.pause, a.paused = min(max(2*a.pause, firstPause), a.o.Interval), a.try
	}
	if what := kindOf(err); what != a.trouble {
		a.trouble = what
		level := slog.LevelWarn
		if errors.Is(err, errNotReady) { // as at each start
			level = slog.LevelInfo
		}
		a.log.Log(ctx, level, "status of Ingresses is not up to date", "error", err)
	}
	return a.pause, false
}

// look renews the addresses, unless they were looked up just now: a burst of
// changes of Ingresses is not one of addresses.
func (a *addresser) look(ctx context.Context) error {
	age := time.Since(a.lookAt)
	if !a.lookAt.IsZero() && (age < firstPause || age < minInterval && a.lookErr == nil) {
		return a.lookErr
	}
	found, err := a.find(ctx)
	a.lookAt, a.lookErr = time.Now(), nil
	if err != nil {
		a.lookErr = fmt.Errorf("addresses: %w", err)
		return a.lookErr
	}
	if a.foundAt.IsZero() || found.String() != a.found.String() {
		a.log.Info("addresses of Ingresses", "addresses", found.String())
	}
	a.found, a.foundAt = found, a.lookAt
	return nil
}

// update writes Ingresses whose status differs: not all of many at once, and
// the newest first, because somebody waits for those.
func (a *addresser) update(ctx context.Context, state *State) (more bool, err error) {
	wanted := a.found.String()
	outcomes := map[types.NamespacedName]outcome{}
	var due []*networkingv1.Ingress
	for _, ing := range slices.Backward(state.Ingresses) {
		if a.found.in(ing) {
			continue
		}
		before, ok := a.outcomes[keyOf(ing)]
		switch {
		case ok && before.version == ing && before.wanted == wanted && (before.err == nil || before.try == a.try):
			outcomes[keyOf(ing)] = before
		case len(due) < statusBurst:
			due = append(due, ing)
		default:
			more = true
		}
	}
	for ing, err := range a.write.all(ctx, due, func(*networkingv1.Ingress) addresses { return a.found }) {
		outcomes[keyOf(ing)] = outcome{ing, wanted, err, a.try}
	}
	a.outcomes = outcomes
	var failed failures
	for _, o := range outcomes {
		if o.err != nil {
			failed.count++
			failed.one = o.err
		}
	}
	if failed.count > 0 {
		return more, failed
	}
	return more, nil
}

// failures are those of one round.
type failures struct {
	count int
	one   error // of them
}

func (f failures) Error() string {
	return fmt.Sprintf("%d not written, such as %v", f.count, f.one)
}

// kindOf is the same text for errors that are not worth another line in the
// log: of failures, which one is told of is chance.
func kindOf(err error) string {
	if f, ok := errors.AsType[failures](err); ok {
		return fmt.Sprint(f.count, apierrors.ReasonForError(f.one))
	}
	return err.Error()
}
