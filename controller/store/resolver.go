package store

import (
	"container/heap"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Resolver says how external names are looked up. The zero value does as
// libc does: by the servers, search list and options of /etc/resolv.conf.
type Resolver struct {
	Config  string   // path to use instead of /etc/resolv.conf
	Servers []string // host:port of servers to ask instead of the file's
}

// How many look-ups are under way at once. Names that never resolved get only
// a part of them, so that a thousand dead names hold up no living one.
const (
	lookups     = 64
	deadLookups = 32
)

// Pauses between look-ups of one name.
const (
	shortestTTL = time.Second
	firstRetry  = time.Second
	lastRetry   = 30 * time.Second
)

// A finding is what one look-up found.
type finding struct {
	addresses []netip.Addr // sorted, without duplicates
	ttl       time.Duration
	// reason is why there are no addresses. Where gone is true the DNS itself
	// says so; otherwise there was no usable answer, which says nothing about
	// the name.
	reason string
	gone   bool
}

// A resolver keeps the addresses of the wanted names fresh: one goroutine that
// waits for the name that is due next.
type resolver struct {
	lookup  func(context.Context, string) finding
	pending *pending
	log     *slog.Logger
	wake    chan struct{} // capacity 1: the queues changed

	mu     sync.Mutex
	names  map[string]*external
	living queue // names that have addresses
	dead   queue // new names and those without
	busy   int
	mired  int // those of busy that came from dead
	open   int // names without a first answer
}

// An external is one wanted name.
type external struct {
	name     string
	due      time.Time
	at       int // place in its queue, -1 in none
	answered bool
	failures int
	good     []netip.Addr
	told     Resolution
}

func newResolver(o Resolver, p *pending, log *slog.Logger) *resolver {
	return &resolver{
		lookup:  newDNS(o).lookup,
		pending: p,
		log:     log,
		wake:    make(chan struct{}, 1),
		names:   map[string]*external{},
	}
}

// want replaces the set of names. A name that is an address, or that can be
// none, is answered at once.
func (r *resolver) want(names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	still := make(map[string]bool, len(names))
	for _, name := range names {
		still[name] = true
		if r.names[name] == nil {
			r.add(name)
		}
	}
	for name, e := range r.names {
		if !still[name] {
			r.drop(e)
		}
	}
	r.poke()
}

func (r *resolver) add(name string) {
	e := &external{name: name, at: -1, answered: true}
	r.names[name] = e
	if a, err := netip.ParseAddr(name); err == nil && a.Zone() == "" {
		r.pending.resolve(name, &Resolution{Addresses: []netip.Addr{a.Unmap()}})
		return
	}
	if !isName(name) {
		r.pending.resolve(name, &Resolution{Err: "is not a DNS name"})
		return
	}
	e.answered = false
	r.open++
	heap.Push(&r.dead, e) // due at once
}

func (r *resolver) drop(e *external) {
	delete(r.names, e.name)
	if e.at >= 0 {
		heap.Remove(r.queue(e), e.at)
	}
	if !e.answered {
		r.open--
	}
	r.pending.forgetName(e.name)
}

func (r *resolver) queue(e *external) *queue {
	if len(e.good) > 0 {
		return &r.living
	}
	return &r.dead
}

func (r *resolver) settled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open == 0
}

func (r *resolver) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run starts look-ups as they become due, until ctx ends.
func (r *resolver) run(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next := r.startDue(ctx, &group)
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-r.wake:
		}
	}
}

// startDue starts what is due and says how long there is nothing to do.
func (r *resolver) startDue(ctx context.Context, group *sync.WaitGroup) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, idle := time.Now(), time.Hour
	for _, q := range []*queue{&r.living, &r.dead} {
		for len(*q) > 0 && r.free(q) {
			if wait := (*q)[0].due.Sub(now); wait > 0 {
				idle = min(idle, wait)
				break
			}
			e := heap.Pop(q).(*external)
			dead := q == &r.dead
			r.count(1, dead)
			group.Go(func() { r.resolve(ctx, e, dead) })
		}
	}
	return idle
}

// free says whether a queue may start one more look-up. When one ends it wakes
// run.
func (r *resolver) free(q *queue) bool {
	return r.busy < lookups && (q == &r.living || r.mired < deadLookups)
}

func (r *resolver) count(n int, dead bool) {
	r.busy += n
	if dead {
		r.mired += n
	}
}

func (r *resolver) resolve(ctx context.Context, e *external, dead bool) {
	f := r.lookup(ctx, e.name)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count(-1, dead)
	r.poke()
	if r.names[e.name] != e || ctx.Err() != nil {
		return
	}
	r.learn(e, f)
	heap.Push(r.queue(e), e)
}

// learn passes a finding on and says when to look again. Without a usable
// answer the last good addresses stay in force.
func (r *resolver) learn(e *external, f finding) {
	if f.reason == "" {
		e.good, e.failures = f.addresses, 0
		e.due = time.Now().Add(max(f.ttl, shortestTTL))
	} else {
		if f.gone {
			e.good = nil
		}
		e.due = time.Now().Add(min(lastRetry, firstRetry<<min(e.failures, 5)))
		e.failures++
		if e.failures == 1 {
			r.log.Warn("cannot resolve an external name, trying again", "name", e.name, "reason", f.reason)
		}
	}
	is := Resolution{Addresses: e.good}
	if len(e.good) == 0 {
		is.Err = f.reason
	}
	if !e.answered {
		e.answered = true
		r.open--
	} else if is.Err == e.told.Err && slices.Equal(is.Addresses, e.told.Addresses) {
		return // nobody need wake up for it
	}
	e.told = is
	r.pending.resolve(e.name, &is)
}

// isName says whether a text can be asked for at all. Underscores are no host
// names, but are in use.
func isName(s string) bool {
	if _, ok := dns.IsDomainName(s); !ok || s == "." {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}
