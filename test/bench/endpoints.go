package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// endpoints measures how long it takes from a change of an EndpointSlice at the
// API server until a response comes from the new address.
func endpoints(s *lab.Session, b *bench) []lab.Row {
	const services, trials = 100, 200
	w := newWorld(s, services, nil)
	w.startProduct(s, b, "", host(services-1))
	var sent, answered []time.Duration
	for i := range trials {
		x, y := endpointTrial(s, w, i%services)
		sent, answered = append(sent, x), append(answered, y)
		// At random, so that trials don't fall in step with a timer.
		time.Sleep(rand.N(50 * time.Millisecond))
	}
	const p50, p99 = 15 * time.Millisecond, 50 * time.Millisecond
	return []lab.Row{
		lab.Latency("EndpointSlice changed at the API server → first response from the new address", sent, p50, p99, "100 Services; from sending the change"),
		lab.Latency("the same, from the API server's answer to the change", answered, p50, p99, "100 Services; 0 where the response came before that answer"),
	}
}

func endpointTrial(s *lab.Session, w *world, i int) (sent, answered time.Duration) {
	k := &client{address: httpAddress(), request: get(host(i), "/")}
	defer k.close()
	next := w.addresses(1)[0]
	change := func() error { return w.setEndpoints(context.Background(), i, next) }
	return untilSeen(s, k, change, func() bool {
		a, err := k.do()
		s.Must(err, "request while an endpoint changes")
		if a.status != http.StatusOK {
			s.Fatalf("request while an endpoint changes: status %d", a.status)
		}
		return a.body == next
	})
}
