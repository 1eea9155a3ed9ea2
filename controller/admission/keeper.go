package admission

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync/atomic"
	"time"
)

// When a Keeper looks whether it is still believed.
const (
	keepEvery = 30 * time.Second // some more, some less
	keepAgain = time.Second      // after a failure; it doubles up to keepEvery
	// overlap is for how long API servers have been told of a new certificate
	// before one is shown it: each of them learns it from a watch of its own.
	overlap = time.Minute
)

// A Publisher tells API servers which certificates to believe.
type Publisher interface {
	// Publish calls mine with the hosts that API servers ask, and has them
	// believe what it returns in the place of what was this replica's before.
	Publish(ctx context.Context, mine func(hosts []string) ([]*x509.Certificate, error)) error
}

// A Keeper makes this replica's certificates, has them believed, and replaces
// them in time. Nothing of them is stored: a replica that starts makes one.
type Keeper struct {
	owner   *url.URL
	publish Publisher
	log     *slog.Logger

	live atomic.Pointer[tls.Certificate] // shown to who calls
	// Of Run alone:
	next  *tls.Certificate // to be shown from the time on
	since time.Time        // when next was published
}

// NewKeeper makes a Keeper for the replica that owner names.
func NewKeeper(owner *url.URL, p Publisher, log *slog.Logger) *Keeper {
	return &Keeper{owner: owner, publish: p, log: log}
}

// errNoIdentity is what callers get before the first certificate is made.
var errNoIdentity = errors.New("there is no certificate yet")

func (k *Keeper) certificate() (*tls.Certificate, error) {
	if c := k.live.Load(); c != nil {
		return c, nil
	}
	return nil, errNoIdentity
}

// Run keeps this replica believed until ctx ends, and then takes its
// certificates back.
func (k *Keeper) Run(ctx context.Context) {
	pause := keepAgain
	for {
		err := k.publish.Publish(ctx, k.mine)
		if ctx.Err() != nil {
			break
		}
		wait := keepEvery*3/4 + rand.N(keepEvery/2)
		if err == nil {
			pause = keepAgain
			k.published()
		} else {
			k.log.Warn("the API server is not told of the admission webhook's certificate", "error", err, "again", pause)
			wait, pause = pause, min(2*pause, keepEvery)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		if ctx.Err() != nil {
			break
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := k.publish.Publish(last, func([]string) ([]*x509.Certificate, error) { return nil, nil }); err != nil {
		k.log.Info("the admission webhook's certificate was not taken back; the next replica to start does that", "error", err)
	}
}

// mine are the certificates to be believed, after making what is missing.
func (k *Keeper) mine(hosts []string) ([]*x509.Certificate, error) {
	live := k.live.Load()
	if k.next == nil && live != nil && serves(live, hosts, time.Now()) {
		return []*x509.Certificate{live.Leaf}, nil
	}
	if k.next == nil || !serves(k.next, hosts, time.Now()) {
		made, err := identity(k.owner, hosts, time.Now())
		if err != nil {
			return nil, err
		}
		k.next, k.since = made, time.Time{}
	}
	if live == nil {
		return []*x509.Certificate{k.next.Leaf}, nil
	}
	return []*x509.Certificate{live.Leaf, k.next.Leaf}, nil
}

// published shows the next certificate once it is known everywhere. The first one
// is shown at once: there is nothing else to show.
func (k *Keeper) published() {
	if k.next == nil {
		return
	}
	if k.since.IsZero() {
		k.since = time.Now()
	}
	first := k.live.Load() == nil
	if first || time.Since(k.since) >= overlap {
		k.live.Store(k.next)
		k.log.Info("the admission webhook has a new certificate", "until", k.next.Leaf.NotAfter, "hosts", k.next.Leaf.DNSNames)
		k.next = nil
	}
}
