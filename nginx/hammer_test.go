package nginx

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A hammer sends requests on keepalive connections and never sends one twice.
// It counts each transport error, as a client that does not retry would see it.
type hammer struct {
	addr string
	path string
	idle time.Duration // between two requests of a connection

	stop    chan struct{}
	wait    sync.WaitGroup
	served  atomic.Int64
	dropped atomic.Int64
	wrong   atomic.Int64
	dials   atomic.Int64
	first   atomic.Value // string: the first thing that went wrong
}

func newHammer(t *testing.T, connections int, idle time.Duration, addr, path string) *hammer {
	h := &hammer{addr: addr, path: path, idle: idle, stop: make(chan struct{})}
	for range connections {
		h.wait.Add(1)
		go h.run()
	}
	t.Cleanup(h.end)
	return h
}

func (h *hammer) end() {
	select {
	case <-h.stop:
	default:
		close(h.stop)
	}
	h.wait.Wait()
}

func (h *hammer) stopped() bool {
	select {
	case <-h.stop:
		return true
	default:
		return false
	}
}

func (h *hammer) run() {
	defer h.wait.Done()
	for !h.stopped() {
		h.dials.Add(1)
		conn, err := net.Dial("tcp", h.addr)
		if err != nil {
			h.drop(fmt.Errorf("dial: %w", err))
			continue
		}
		h.use(conn)
		conn.Close()
	}
}

// use sends requests on a connection until it is told to leave it.
func (h *hammer) use(conn net.Conn) {
	r := bufio.NewReader(conn)
	for n := 0; !h.stopped(); n++ {
		if n > 0 && h.idle > 0 && !h.pause(conn, r) {
			return
		}
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a.example.org\r\n\r\n", h.path); err != nil {
			h.drop(fmt.Errorf("request %d of connection: write: %w", n, err))
			return
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			h.drop(fmt.Errorf("request %d of connection: read: %w", n, err))
			return
		}
		if _, err := discard(resp); err != nil {
			h.drop(fmt.Errorf("request %d of connection: body: %w", n, err))
			return
		}
		h.served.Add(1)
		if resp.StatusCode != 200 {
			h.wrong.Add(1)
			h.first.CompareAndSwap(nil, resp.Status)
		}
		if resp.Close {
			return
		}
	}
}

// pause waits between two requests, and says whether the connection is still
// open: a client sees when the server closes an idle connection.
func (h *hammer) pause(conn net.Conn, r *bufio.Reader) bool {
	_ = conn.SetReadDeadline(time.Now().Add(h.idle))
	_, err := r.Peek(1)
	timeout, ok := err.(net.Error)
	_ = conn.SetReadDeadline(time.Time{})
	return ok && timeout.Timeout()
}

func (h *hammer) drop(err error) {
	h.dropped.Add(1)
	h.first.CompareAndSwap(nil, err.Error())
}

func discard(resp *http.Response) (int64, error) {
	defer resp.Body.Close()
	buf := make([]byte, 4096)
	var n int64
	for {
		k, err := resp.Body.Read(buf)
		n += int64(k)
		if err != nil {
			if err.Error() == "EOF" {
				return n, nil
			}
			return n, err
		}
	}
}

// until waits until so many more requests have been served.
func (h *hammer) until(t *testing.T, more int64) {
	t.Helper()
	goal := h.served.Load() + more
	if err := until(limit(t), func() (bool, error) { return h.served.Load() >= goal, nil }); err != nil {
		t.Fatalf("%d requests served, want %d: %v", h.served.Load(), goal, err)
	}
}

func (h *hammer) check(t *testing.T) {
	t.Helper()
	t.Logf("%d requests served, %d connections", h.served.Load(), h.dials.Load())
	if h.dropped.Load() > 0 || h.wrong.Load() > 0 {
		t.Errorf("%d of %d requests dropped, %d wrong; first: %v",
			h.dropped.Load(), h.served.Load(), h.wrong.Load(), h.first.Load())
	}
}
