package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// On the host network a new pod serves beside the old one on the same ports,
// and the old one leaves then. Ten times over, with 200 new connections a second
// and eight busy ones that are kept, no request fails, and none is answered by one
// that is not ready.
func TestOverlap(t *testing.T) {
	// Connections that a closing socket has not accepted yet go to another one of
	// the same port. Edge nodes have to have it set.
	const migrate = "/proc/sys/net/ipv4/tcp_migrate_req"
	if err := os.WriteFile(migrate, []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	w := inFolder(t)
	apps(t, w, 120, "web")
	w.Apply(t, web("web", "a.example.org", "web").String())
	now := w.share(t, nil)
	load := startFresh(now, "http://a.example.org/", 200)
	busy := now.StartLoad(t, "http://a.example.org/", 8)
	for range 10 {
		before := load.count()
		next := w.share(t, now)
		now.Stop(t)
		now = next
		cluster.Eventually(t, "requests have been made", func() error { return load.more(before + 100) })
	}
	if n, failures := busy.Stop(); len(failures) > 0 {
		t.Errorf("%d of %d requests on connections that are kept failed, such as: %v", len(failures), n, failures[0])
	} else {
		t.Logf("%d requests on connections that are kept, 0 failed", n)
	}
	n, failures := load.stop()
	t.Logf("%d requests on connections of their own, %d failed", n, len(failures))
	if len(failures) > 0 {
		t.Errorf("%d of %d requests failed, such as: %v", len(failures), n, failures[0])
	}
}

// share starts one that shares the ports of another, and waits until the probe of
// its own says that it serves.
func (w *world) share(t *testing.T, beside *cluster.Sallyport) *cluster.Sallyport {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "healthz.sock")
	if err := os.Chmod(filepath.Dir(socket), 0o777); err != nil {
		t.Fatal(err)
	}
	s := w.launchWith(t, cluster.Options{Beside: beside, Unready: true, Args: []string{"--share-ports", "--healthz-socket=" + socket, "--shutdown-grace-period=1"}})
	cluster.Eventually(t, "the probe says that it serves", func() error { return cluster.Healthy(socket) })
	return s
}

// fresh are requests on connections of their own, so many a second.
type fresh struct {
	end  chan struct{}
	done sync.WaitGroup

	mu       sync.Mutex
	requests int
	failures []error
}

func startFresh(s *cluster.Sallyport, url string, rate int) *fresh {
	f := &fresh{end: make(chan struct{})}
	f.done.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for {
			select {
			case <-f.end:
				return
			case <-tick.C:
				f.done.Go(func() { f.one(s, url) })
			}
		}
	})
	return f
}

func (f *fresh) one(s *cluster.Sallyport, url string) {
	r, err := s.Try(cluster.Request{URL: url})
	if err == nil && r.Status != 200 {
		err = &statusError{r.String()}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	if err != nil {
		f.failures = append(f.failures, err)
	}
}

type statusError struct{ got string }

func (e *statusError) Error() string { return "got " + e.got }

func (f *fresh) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

func (f *fresh) more(than int) error {
	if f.count() < than {
		return &statusError{"too few"}
	}
	return nil
}

func (f *fresh) stop() (int, []error) {
	close(f.end)
	f.done.Wait()
	return f.requests, slices.Clone(f.failures)
}
