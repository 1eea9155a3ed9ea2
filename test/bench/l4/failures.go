package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

const (
	changePeriod = 100 * time.Millisecond
	// grace is how long an endpoint answers after it was taken from its slice.
	// A proxier that is away has until then to be back.
	grace = 10 * time.Second
	// clientsEach connect without a pause to the ClusterIP, and as many to the
	// node port.
	clientsEach = 2
)

// failureRows count connections that fail while endpoints come and go and the
// proxier is restarted twice: once told to end, once killed.
func (b *bench) failureRows(s *lab.Session) []lab.Row {
	f := b.of(s, ours)
	l, w := f.lane, b.world
	w.endpoints[0] = []netip.Addr{w.address(), w.address(), w.address()}
	s.Must(w.move(context.Background(), 0, w.endpoints[0]...), "change at the API server")
	c := newContestant(s, ours)
	r := w.begin(s, c, l)
	r.awaitFollowed(s, w, 0)

	ctx, cancel := context.WithTimeout(context.Background(), b.attack)
	defer cancel()
	t := newTally()
	var all sync.WaitGroup
	for _, to := range []netip.AddrPort{front(0), netip.AddrPortFrom(l.address(), nodePort)} {
		for range clientsEach {
			all.Go(func() { l.client.do(s, func() { t.attack(ctx, to) }) })
		}
	}
	changes := 0
	all.Go(func() { changes = w.rotate(ctx, s, l) })
	r = b.restart(ctx, s, r, func() { r.Stop(s) })
	r = b.restart(ctx, s, r, func() { r.Kill() })
	<-ctx.Done()
	all.Wait()
	r.awaitFollowed(s, w, 0)
	of := fmt.Sprintf("%d connections to ClusterIP and node port, to %d endpoints; %d changes", t.connections, len(t.by), changes)
	if why := t.why(); why != "" {
		of += "; " + why + "; " + l.served.lateness()
	}
	return []lab.Row{{
		Measure:  fmt.Sprintf("connections failed, or made only by sending again, in %v of 10 changes a second and 2 restarts", b.attack),
		Reach:    "0",
		Measured: fmt.Sprint(t.failed()),
		Verdict:  lab.VerdictOf(t.failed() == 0 && t.connections > 0 && changes > 0),
		Of:       of,
	}}
}

// restart waits a third of the time, ends the proxier, and starts it again.
func (b *bench) restart(ctx context.Context, s *lab.Session, r *run, end func()) *run {
	select {
	case <-ctx.Done():
		s.Fatalf("the restarts took longer than %v", b.attack)
	case <-time.After(b.attack / 3):
	}
	end()
	return b.world.begin(s, r.who, r.lane)
}

// rotate replaces the oldest endpoint of the first Service at each tick, and
// gives the number of changes.
func (w *world) rotate(ctx context.Context, s *lab.Session, l *lane) (changes int) {
	tick := time.NewTicker(changePeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return changes
		case <-tick.C:
		}
		old := w.endpoints[0][0]
		if err := w.replaceOne(context.Background(), 0); err != nil {
			s.Errorf("change at the API server: %v", err)
			return changes
		}
		l.served.leave(old, grace)
		changes++
	}
}
