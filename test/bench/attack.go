package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// A tally counts what came of the requests of all clients.
type tally struct {
	mu           sync.Mutex
	requests     int
	failures     map[string]int // by reason
	first        string         // the first failure, in full
	idleClosed   int            // connections that the server closed between two requests
	connected    int
	certificates map[string]bool // serial numbers that TLS clients met
	backends     map[string]bool // addresses that answered
}

func newTally() *tally {
	return &tally{failures: map[string]int{}, certificates: map[string]bool{}, backends: map[string]bool{}}
}

// count takes in one request.
func (t *tally) count(a answer, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	why := ""
	switch {
	case err != nil:
		why = reason(err)
	case a.status != http.StatusOK:
		why = fmt.Sprintf("status %d", a.status)
	default:
		t.backends[a.body] = true
		return
	}
	t.failures[why]++
	if t.first == "" {
		t.first = cmp.Or(errText(err), why)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// met takes in a new connection.
func (t *tally) met(k *client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.connected++
	if conn, ok := k.conn.(*tls.Conn); ok {
		t.certificates[conn.ConnectionState().PeerCertificates[0].SerialNumber.String()] = true
	}
}

func (t *tally) closedIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idleClosed++
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
	return strings.Join(parts, ", ") + "; first: " + lab.OneLine(t.first)
}

// attack keeps the clients busy until ctx ends, each with one request after the
// other. With a think time each pauses a random part of it before a request.
func attack(ctx context.Context, clients []*client, think time.Duration) *tally {
	t := newTally()
	var all sync.WaitGroup
	for _, k := range clients {
		all.Go(func() {
			defer k.close()
			k.opened = func() { t.met(k) }
			for ctx.Err() == nil {
				if think > 0 && k.idle(rand.N(think)) {
					t.closedIdle()
				}
				a, err := k.do()
				t.count(a, err)
			}
		})
	}
	all.Wait()
	return t
}
