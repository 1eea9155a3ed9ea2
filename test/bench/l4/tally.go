package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// A tally counts what came of the connections of all clients.
type tally struct {
	mu          sync.Mutex
	connections int
	failures    map[string]int // by reason
	first       string         // the first failure, in full
	by          map[netip.Addr]bool
}

func newTally() *tally { return &tally{failures: map[string]int{}, by: map[netip.Addr]bool{}} }

// attack connects without a pause until ctx ends.
func (t *tally) attack(ctx context.Context, to netip.AddrPort) {
	for ctx.Err() == nil {
		v, err := call(to)
		t.count(to, v, err)
	}
}

// count takes in one connection. One that needed a packet to be sent again
// counts as failed: somebody dropped the first.
func (t *tally) count(to netip.AddrPort, v visit, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.connections++
	why := ""
	switch {
	case err != nil:
		why = reason(err)
	case v.repeats > 0:
		why, err = "sent again", fmt.Errorf("answered after %d packets were sent again", v.repeats)
	default:
		t.by[v.by] = true
		return
	}
	t.failures[why]++
	if t.first == "" {
		t.first = fmt.Sprintf("%s: %v", to, err)
	}
}

func (t *tally) failed() int {
	n := 0
	for _, c := range t.failures {
		n += c
	}
	return n
}

// why lists the reasons with their counts, and the first failure in full.
func (t *tally) why() string {
	if len(t.failures) == 0 {
		return ""
	}
	var parts []string
	for _, r := range slices.Sorted(maps.Keys(t.failures)) {
		parts = append(parts, fmt.Sprintf("%d %s", t.failures[r], r))
	}
	return strings.Join(parts, ", ") + "; first: " + t.first
}

// reason puts an error of call into one of a few classes.
func reason(err error) string {
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return "refused"
	case errors.Is(err, unix.ECONNRESET):
		return "reset"
	case errors.Is(err, unix.ETIMEDOUT), errors.Is(err, unix.EINPROGRESS), errors.Is(err, unix.EAGAIN):
		return "timeout" // a blocking connect that SO_SNDTIMEO ends says EINPROGRESS
	default:
		return "other"
	}
}
