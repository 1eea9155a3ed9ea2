package cluster

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// A Load is a number of keepalive connections on which one request follows the
// other. A request is never repeated: what doesn't end as a 200 is a failure.
type Load struct {
	stop chan struct{}
	all  sync.WaitGroup

	mu       sync.Mutex
	requests int
	failures []string
}

// StartLoad begins. It ends with the test at the latest.
func (s *Sallyport) StartLoad(t T, url string, connections int) *Load {
	t.Helper()
	l := &Load{stop: make(chan struct{})}
	for range connections {
		l.all.Go(func() { l.client(s, url) })
	}
	t.Cleanup(func() { l.Stop() })
	return l
}

// Stop ends the load and gives what came of it. It may be called again.
func (l *Load) Stop() (requests int, failures []string) {
	l.mu.Lock()
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.mu.Unlock()
	l.all.Wait()
	return l.requests, l.failures
}

// Requests is the number of requests so far, the failed ones included.
func (l *Load) Requests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}

// Pass waits until at least n more requests have been made.
func (l *Load) Pass(t T, n int) {
	t.Helper()
	from := l.Requests()
	Eventually(t, fmt.Sprintf("%d more requests", n), func() error {
		if done := l.Requests() - from; done < n {
			return fmt.Errorf("%d so far", done)
		}
		return nil
	})
}

func (l *Load) client(s *Sallyport, url string) {
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		l.connection(s, url)
	}
}

// connection makes requests on one connection until the server says that it
// will close it, or something fails.
func (l *Load) connection(s *Sallyport, url string) {
	scheme, host, target := split(url)
	conn, err := s.dial(scheme, host, Request{TLS: &tls.Config{}})
	if err != nil {
		l.record(fmt.Errorf("connect: %w", err))
		return
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for n := 0; ; n++ {
		select {
		case <-l.stop:
			return
		default:
		}
		last, err := exchange(conn, r, host, target)
		if err != nil {
			err = fmt.Errorf("request %d of a connection: %w", n+1, err)
		}
		l.record(err)
		if err != nil || last {
			return
		}
	}
}

func exchange(conn net.Conn, r *bufio.Reader, host, target string) (last bool, err error) {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return true, err
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, host); err != nil {
		return true, fmt.Errorf("write: %w", err)
	}
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		return true, fmt.Errorf("read: %w", err)
	}
	if _, err := io.Copy(io.Discard, a.Body); err != nil {
		return true, fmt.Errorf("read the body: %w", err)
	}
	if a.StatusCode != http.StatusOK {
		return a.Close, fmt.Errorf("status %d", a.StatusCode)
	}
	return a.Close, nil
}

func (l *Load) record(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	if err != nil {
		l.failures = append(l.failures, err.Error())
	}
}
