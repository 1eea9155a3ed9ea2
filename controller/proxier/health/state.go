// Package health turns what the proxier has got done into what asks for it is
// told: /healthz and /livez for the node, and the health-check node ports of
// Services for load balancers.
//
// It decides nothing about traffic and reads no object; what it says, it was
// told. Its answers are kube-proxy's, byte for byte where that has one answer.
package health

import (
	"sync"
	"time"
)

// A State is how the proxier is. It has no clock: every time is given, so that
// what it answers is a matter of what it was told. Its methods may be called by
// several goroutines.
type State struct {
	timeout time.Duration

	mu             sync.Mutex
	oldest, newest time.Time // of the changes that wait; zero where none does
	programmed     time.Time // zero before the first time
	ineligible     bool
}

// NewState makes a State of a node that is eligible and has programmed nothing.
// A change that has waited for the timeout is late: kube-proxy's is twice the
// sync period.
func NewState(timeout time.Duration) *State { return &State{timeout: timeout} }

// Queued notes that something has changed that is to be programmed.
func (s *State) Queued(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.oldest.IsZero() {
		s.oldest = now
	}
	s.newest = now
}

// Programmed notes that all is programmed that was queued before it was begun.
// What was queued after that waits still.
func (s *State) Programmed(begun, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.programmed = now
	switch {
	case !s.newest.After(begun):
		s.oldest, s.newest = time.Time{}, time.Time{}
	case s.oldest.Before(begun):
		s.oldest = begun // the oldest that waits is not known, but it is no older
	}
}

// Eligible notes whether the node is to get traffic from load balancers: it is
// there, not being deleted, and not about to be by the cluster autoscaler.
func (s *State) Eligible(is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ineligible = !is
}

// Live says whether the proxier gets its work done: no change is late. A
// proxier that has nothing to do yet, because the API server can't be reached,
// is live: a restart would not help it.
func (s *State) Live(now time.Time) bool { return s.at(now).live }

// Healthy says whether what the kernel does is what it should: all was
// programmed once, and no change is late.
func (s *State) Healthy(now time.Time) bool { return s.at(now).healthy() }

// Ready says whether the node is to get traffic: the proxier is healthy and the
// node is eligible.
func (s *State) Ready(now time.Time) bool { return s.at(now).ready() }

// An instant is a State at one time.
type instant struct {
	live, eligible bool
	programmed     time.Time
}

func (i instant) healthy() bool { return i.live && !i.programmed.IsZero() }
func (i instant) ready() bool   { return i.healthy() && i.eligible }

func (s *State) at(now time.Time) instant {
	s.mu.Lock()
	defer s.mu.Unlock()
	return instant{
		live:       s.oldest.IsZero() || now.Sub(s.oldest) < s.timeout,
		eligible:   !s.ineligible,
		programmed: s.programmed,
	}
}
