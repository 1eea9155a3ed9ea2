package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// seenHeader marks a response whose body is a Seen.
const seenHeader = "X-Test-Seen"

// Seen is what a backend saw of a request.
type Seen struct {
	Backend string // the name that the test gave it
	Local   string // the address on which it was asked
	Remote  string
	Method  string
	URI     string // as it stood in the request line
	Host    string
	Proto   string
	Header  http.Header
	TLS     bool
	Body    int // bytes
}

// A Backend is a real HTTP server on addresses of the private network.
type Backend struct {
	Name string

	count  atomic.Int64
	mu     sync.Mutex
	served map[string]int // by local address
}

// Echo starts a backend that answers with what it saw, on each of the addresses
// (such as "10.244.1.1:8080"), until the test ends.
func Echo(t T, name string, addresses ...string) *Backend {
	t.Helper()
	b := &Backend{Name: name, served: map[string]int{}}
	Serve(t, b, addresses...)
	return b
}

// Count is the number of requests so far.
func (b *Backend) Count() int { return int(b.count.Load()) }

// Served is the number of requests so far by the address that was asked.
func (b *Backend) Served() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make(map[string]int, len(b.served))
	for k, v := range b.served {
		all[k] = v
	}
	return all
}

// ServeHTTP answers with what it saw.
func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	local := r.Context().Value(http.LocalAddrContextKey).(net.Addr).String()
	b.count.Add(1)
	b.mu.Lock()
	b.served[local]++
	b.mu.Unlock()
	seen := Seen{
		Backend: b.Name, Local: local, Remote: r.RemoteAddr, Method: r.Method, URI: r.RequestURI, Host: r.Host,
		Proto: r.Proto, Header: r.Header, TLS: r.TLS != nil, Body: drain(r),
	}
	body, err := json.Marshal(seen)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set(seenHeader, "1")
	w.Write(body)
}

func drain(r *http.Request) int {
	n, buffer := 0, make([]byte, 32<<10)
	for {
		m, err := r.Body.Read(buffer)
		n += m
		if err != nil {
			return n
		}
	}
}

// Serve starts an HTTP server with a handler on each of the addresses, until
// the test ends or the function that it gives is called.
func Serve(t T, handler http.Handler, addresses ...string) (stop func()) {
	t.Helper()
	server := &http.Server{Handler: handler}
	for _, a := range addresses {
		l, err := net.Listen("tcp", a)
		if err != nil {
			t.Fatalf("backend: %v", err)
		}
		go func() {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("backend %s: %v", a, err)
			}
		}()
	}
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // idle connections end in order, others at once
		_ = server.Shutdown(ctx)
		_ = server.Close()
	})
	t.Cleanup(stop)
	return stop
}
