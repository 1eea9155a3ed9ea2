package compat

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// A signal is given once by a backend for each path that it is asked for.
type signals struct{ all chan string }

// given says whether a backend has given the signal of a path. One that is not
// given is waited for a while in vain: that can only hide that a key is not
// proven, and then the case fails.
func (s signals) given(path string, most time.Duration) bool {
	end := time.NewTimer(most)
	defer end.Stop()
	for {
		select {
		case got := <-s.all:
			if got == path {
				return true
			}
		case <-end.C:
			return false
		}
	}
}

// large is more than all sockets on the way hold.
const large = 48 << 20

// A pourer sends much, and tells when all of it is gone.
type pourer struct{ signals }

func (p pourer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", fmt.Sprint(large))
	part := make([]byte, 1<<20)
	for range large >> 20 {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
	p.all <- r.Host
}

// unread asks for what it then doesn't read, and says whether the backend gets
// rid of it all the same.
func unread(p pourer) func(c client) string {
	return func(c client) string {
		conn := c.open(fmt.Sprintf("GET / HTTP/1.1\r\nHost: %s\r\n\r\n", c.host))
		defer conn.Close()
		if p.given(c.host, 3*time.Second) {
			return "taken"
		}
		return "held"
	}
}

// open sends the beginning of a request.
func (c client) open(text string) net.Conn {
	c.t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.site.HTTP))
	if err == nil {
		_, err = io.WriteString(conn, text)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return conn
}

// A gate tells of a request before it reads its body.
type gate struct{ signals }

func (g gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.all <- r.Host
	_, _ = io.Copy(io.Discard, r.Body)
}

// A deaf backend takes connections and reads nothing, and hangs up after a while.
func deaf(t *testing.T, address string, after time.Duration) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			time.AfterFunc(after, func() { conn.Close() })
		}
	}()
}

// silent is an address whose queue of connections is full: the kernel drops
// what else comes.
func silent(t *testing.T, address string, port int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	at := unix.SockaddrInet4{Port: port, Addr: netip.MustParseAddr(address).As4()}
	if err := errors.Join(unix.Bind(fd, &at), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", address, port), 500*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the kernel goes on taking connections")
}

func streamsGroup() group {
	pour := pourer{signals{make(chan string, 1000)}}
	door := gate{signals{make(chan string, 1000)}}
	buffering := func(more ...string) map[string]string {
		all := map[string]string{"proxy-buffering": "on"}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	// all says what each of n requests gets.
	all := func(n int) func(client) string {
		return func(c client) string {
			seen := map[string]bool{}
			for range n {
				seen[short(c.get("/"))] = true
			}
			if len(seen) == 1 {
				return slices.Collect(maps.Keys(seen))[0]
			}
			return "several"
		}
	}
	return group{name: "streams", cases: []proof{
		{
			keys: []string{"proxy-buffering"}, annotations: buffering(), service: "pour", probes: []probe{{"unread", unread(pour), "taken"}},
		}, {
			keys: []string{"proxy-max-temp-file-size"}, annotations: buffering("proxy-max-temp-file-size", "0"), service: "pour",
			probes: []probe{{"unread", unread(pour), "held"}},
		}, {
			keys:        []string{"proxy-buffers-number"},
			annotations: buffering("proxy-max-temp-file-size", "0", "proxy-buffer-size", "64k", "proxy-buffers-number", "1024"), service: "pour",
			probes: []probe{{"unread", unread(pour), "taken"}},
		}, {
			keys: []string{"proxy-request-buffering"}, annotations: map[string]string{"proxy-request-buffering": "off"}, service: "gate",
			probes: []probe{{"half a body", func(c client) string {
				conn := c.open(fmt.Sprintf("POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 10\r\n\r\nhalf", c.host))
				defer conn.Close()
				return fmt.Sprint(door.given(c.host, 2*time.Second))
			}, "true"}},
		}, {
			keys: []string{"client-body-buffer-size"}, annotations: map[string]string{"client-body-buffer-size": "512k"},
			probes: []probe{{"to a file", func(c client) string {
				c.do(cluster.Request{Method: "POST", URL: "http://HOST/", Body: strings.Repeat("x", 100<<10)})
				for line := range strings.Lines(c.site.Log()) {
					if strings.Contains(line, "body is buffered to a temporary file") && strings.Contains(line, "\""+c.host+"\"") {
						return "true"
					}
				}
				return "false"
			}, "false"}},
		}, {
			keys: []string{"proxy-send-timeout"}, annotations: map[string]string{"proxy-send-timeout": "1", "proxy-body-size": "0"}, service: "deaf",
			probes: []probe{{"a body that nobody reads", func(c client) string {
				return short(c.do(cluster.Request{Method: "POST", URL: "http://HOST/", Body: strings.Repeat("x", large)}))
			}, "504"}},
		}, {
			// Within 3 s another endpoint is tried: time for it is left only where the
			// one that takes no connection is given up sooner than after 5 s.
			keys:        []string{"proxy-connect-timeout"},
			annotations: map[string]string{"proxy-connect-timeout": "1", "proxy-next-upstream-timeout": "3"}, service: "silent",
			// Three requests: see proxy-next-upstream-timeout.
			probes: []probe{{"one of two takes no connections", all(3), "200"}},
		}, {
			keys: []string{"proxy-next-upstream"}, annotations: map[string]string{"proxy-next-upstream": "error http_502"}, service: "bad",
			probes: []probe{{"one of two is bad", all(20), "200"}},
		}, {
			keys: []string{"proxy-next-upstream-tries"}, annotations: map[string]string{"proxy-next-upstream-tries": "1"}, service: "half",
			probes: []probe{{"one of two refuses", all(20), "several"}},
		}, {
			keys: []string{"proxy-next-upstream-timeout"}, annotations: map[string]string{"proxy-next-upstream-timeout": "1"}, service: "late",
			// Of three requests one worker has two, and asks each endpoint first.
			probes: []probe{{"one of two hangs up after 2 s", func(c client) string {
				return fmt.Sprint(all(3)(c) != "200")
			}, "true"}},
		},
	}, objects: func(t *testing.T, s *site) string {
		good := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		bad := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		for i, h := range []http.Handler{pour, door, good, bad} {
			cluster.Serve(t, h, s.address(10+i)+":8080")
		}
		silent(t, s.address(22), 8080)
		deaf(t, s.address(20)+":8080", 3*time.Second)
		deaf(t, s.address(21)+":8080", 2*time.Second)
		return strings.Join([]string{
			service("pour", s.address(10)), service("gate", s.address(11)), service("bad", s.address(12), s.address(13)), service("half", s.address(12), s.address(30)),
			service("deaf", s.address(20)), service("late", s.address(12), s.address(21)),
			service("silent", s.address(12), s.address(22)),
		}, "---\n")
	}}
}
