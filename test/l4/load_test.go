package l4

import (
	"fmt"
	"sync"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
	"github.com/sallyport-ingress/sallyport/test/l4/lab"
)

// A load connects without a pause, from several places to several, until it is
// stopped. It sends nothing twice: each connection that fails is counted.
type load struct {
	stop chan struct{}
	all  sync.WaitGroup

	mu       sync.Mutex
	sent     int
	failures []string
}

// startLoad sends what the lines of a table say, over and over.
func (r *running) startLoad(t *testing.T, packets string) *load {
	t.Helper()
	all, err := parsePackets(packets, r.mode, r.n)
	if err != nil {
		t.Fatal(err)
	}
	l := &load{stop: make(chan struct{})}
	for _, p := range all {
		l.all.Go(func() { l.run(r.world, p) })
	}
	t.Cleanup(func() { l.end() })
	return l
}

func (l *load) run(w *world, p packet) {
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		got := w.probe(p).Send()
		l.mu.Lock()
		l.sent++
		if got.Outcome != lab.Answered {
			l.failures = append(l.failures, fmt.Sprintf("%v: %v", p, got))
		}
		l.mu.Unlock()
	}
}

// pass waits until n more connections were made.
func (l *load) pass(t *testing.T, n int) {
	t.Helper()
	goal := l.count() + n
	cluster.Eventually(t, "the load goes on", func() error {
		if sent := l.count(); sent < goal {
			return fmt.Errorf("%d of %d connections", sent, goal)
		}
		return nil
	})
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

func (l *load) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.all.Wait()
}

// none holds that no connection failed.
func (l *load) none(t *testing.T) {
	t.Helper()
	l.end()
	if n := len(l.failures); n > 0 {
		t.Errorf("%d of %d connections failed, such as: %s", n, l.sent, l.failures[0])
	}
}
