package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// The hosts that are loaded: the first half over HTTP, the second over TLS.
const (
	loadedHosts = 8
	plainHosts  = loadedHosts / 2
)

// failures counts the requests that fail while everything changes: with clients
// that never pause, and with ones that do, whose idle connections a reload
// closes.
func failures(s *lab.Session, b *bench) []lab.Row {
	w := newWorld(s, 100, func(i int) bool { return i >= plainHosts && i < loadedHosts })
	p := w.startProduct(s, b, "", host(99))
	return []lab.Row{
		failuresWith(s, b, w, p, "requests failed, clients that never pause", 0),
		failuresWith(s, b, w, p, "requests failed, clients that pause 0 to 50 ms", 50*time.Millisecond),
	}
}

func failuresWith(s *lab.Session, b *bench, w *world, p *product, measure string, think time.Duration) lab.Row {
	ctx, cancel := context.WithTimeout(context.Background(), b.attack)
	defer cancel()
	var d disturbance
	var all sync.WaitGroup
	all.Go(func() {
		d.endpoints = every(ctx, s, 100*time.Millisecond, func(i int) error { return w.moveEndpoints(ctx, i) })
	})
	all.Go(func() {
		d.ingresses = every(ctx, s, time.Second, func(i int) error { return w.changeIngress(ctx, p, s, &d, i) })
	})
	all.Go(func() {
		d.certificates = every(ctx, s, 5*time.Second, func(i int) error { return w.rotate(ctx, s, i) })
	})
	t := attack(ctx, attackers(), think)
	all.Wait()

	of := fmt.Sprintf("%d requests in %v on %d connections (%d opened, %d closed while idle); %s; %d backends and %d certificates met",
		t.requests, b.attack, connections, t.connected, t.idleClosed, d, len(t.backends), len(t.certificates))
	if why := t.why(); why != "" {
		of = why + "; of " + of
	}
	return lab.Row{Measure: measure, Reach: "0", Measured: fmt.Sprint(t.failed()), Verdict: lab.VerdictOf(t.failed() == 0 && t.requests > 0), Of: of}
}

// attackers are clients over all loaded hosts.
func attackers() []*client {
	var all []*client
	for i := range connections {
		name := host(i % loadedHosts)
		k := &client{address: httpAddress(), request: get(name, "/")}
		if i%loadedHosts >= plainHosts {
			k.address, k.tls = httpsAddress(), &tls.Config{ServerName: name, InsecureSkipVerify: true}
		}
		all = append(all, k)
	}
	return all
}

// A disturbance is what was changed while requests were made.
type disturbance struct {
	endpoints, ingresses, certificates int
	workers                            map[int]bool // of nginx, that were seen
}

func (d disturbance) String() string {
	return fmt.Sprintf("%d endpoint changes, %d Ingress changes (%d workers of nginx seen), %d certificates rotated",
		d.endpoints, d.ingresses, len(d.workers), d.certificates)
}

// every makes a change at each tick until ctx ends, and gives their number. A
// tick that comes while a change is under way is dropped.
func every(ctx context.Context, s *lab.Session, interval time.Duration, change func(i int) error) (made int) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return made
		case <-tick.C:
			err := change(made)
			if ctx.Err() != nil {
				return made // the end cut it short
			}
			if err != nil {
				s.Errorf("change at the API server: %v", err)
				return made
			}
			made++
		}
	}
}

func (w *world) moveEndpoints(ctx context.Context, i int) error {
	return w.setEndpoints(ctx, i%loadedHosts, w.addresses(3)...)
}

// changeIngress gives a loaded host another second path, which is a reload.
func (w *world) changeIngress(ctx context.Context, p *product, s *lab.Session, d *disturbance, i int) error {
	n := i % loadedHosts
	o := newIngress(service(n), host(n), service(n), "/", fmt.Sprintf("/version-%d", i))
	if n >= plainHosts {
		o = withTLS(o)
	}
	if _, err := w.client.NetworkingV1().Ingresses(space).Update(ctx, o, metav1.UpdateOptions{}); err != nil {
		return err
	}
	pids, err := lab.Children(p.master(s))
	if d.workers == nil {
		d.workers = map[int]bool{}
	}
	for _, pid := range pids {
		d.workers[pid] = true
	}
	return err
}

func (w *world) rotate(ctx context.Context, s *lab.Session, i int) error {
	c := newCertificate(s, "*.example.org", int64(i)+2)
	_, err := w.client.CoreV1().Secrets(space).Update(ctx, newSecret(c), metav1.UpdateOptions{})
	return err
}
