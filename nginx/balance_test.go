package nginx

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// refusing is the address of a port where nobody listens.
func refusing(t *testing.T) string { return fmt.Sprintf("127.0.0.1:%d", freePort(t)) }

// hangingUp accepts connections and closes them after the request.
func hangingUp(t *testing.T) (string, *atomic.Int64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var count atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			_, _ = conn.Read(make([]byte, 4096))
			conn.Close()
		}
	}()
	return l.Addr().String(), &count
}

func TestRetryGoesToAnotherEndpoint(t *testing.T) {
	good := echo(t, "good")
	bad1, count := hangingUp(t)
	for name, endpoints := range map[string][]string{
		"refused":           {refusing(t), good},
		"refused twice":     {refusing(t), refusing(t), good},
		"hung up":           {bad1, good},
		"first of all":      {good, refusing(t)},
		"mixed with weight": {bad1, refusing(t), good},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.start(simple(endpoints...))
			for range 30 {
				if status, body := get(t, newClient(), l.url("/a/")); status != 200 || body != "good" {
					t.Fatalf("answer %d %q", status, body)
				}
			}
		})
	}
	if count.Load() == 0 {
		t.Error("the endpoint that hangs up was never asked")
	}
}

func TestRequestThatCannotBeRepeatedIsNot(t *testing.T) {
	bad, count := hangingUp(t)
	l := newLab(t)
	l.start(simple(bad, bad[:len(bad)-len(portOf(bad))]+portOf(bad), echo(t, "good")))
	asked, failed := 0, 0
	for range 40 {
		asked++
		if status, _ := ask(t, newClient(), http.MethodPost, l.url("/a/")); status == 502 {
			failed++
		}
	}
	if failed == 0 || int64(failed) != count.Load() {
		t.Errorf("%d POSTs, %d reached the endpoint that hangs up, %d failed", asked, count.Load(), failed)
	}
}

func portOf(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }

func TestAllEndpointsDownIs502WithinTheTries(t *testing.T) {
	bad, count := hangingUp(t)
	l := newLab(t)
	l.start(simple(bad, refusing(t), refusing(t), refusing(t), refusing(t)))
	if status, _ := get(t, newClient(), l.url("/a/")); status != 502 {
		t.Errorf("status %d, want 502", status)
	}
	if count.Load() > 1 {
		t.Errorf("the same endpoint was asked %d times for one request", count.Load())
	}
}

func TestStaleConnectionToTheOnlyEndpointIsRetried(t *testing.T) {
	// The endpoint closes each connection just when the second request comes.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 4096)
				if _, err := conn.Read(buf); err != nil {
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				_, _ = conn.Read(buf)
			}()
		}
	}()
	n := newLab(t)
	n.workers = 1
	n.start(simple(l.Addr().String()))
	for i := range 20 {
		if status, body := get(t, newClient(), n.url("/a/")); status != 200 || body != "ok" {
			t.Fatalf("request %d: %d %q", i, status, body)
		}
	}
}

func TestTurnsAreFairAndSurvivePushes(t *testing.T) {
	l := newLab(t)
	l.workers = 1
	var endpoints []string
	counts := map[string]int{}
	for i := range 4 {
		name := fmt.Sprint(i)
		endpoints = append(endpoints, echo(t, name))
		counts[name] = 0
	}
	l.start(simple(endpoints...))
	client := &http.Client{Transport: &http.Transport{}}
	for range 400 {
		_, body := get(t, client, l.url("/a/"))
		counts[body]++
	}
	for name, n := range counts {
		if n != 100 {
			t.Errorf("endpoint %s got %d of 400 requests, want 100", name, n)
		}
		counts[name] = 0
	}
	// One request after each push: a turn that begins anew would give all of
	// them to one endpoint. The lists differ in their last endpoint only.
	extra := echo(t, "extra")
	key, with := backend("default/web/80", append(endpoints[:3:3], extra)...)
	_, without := backend("default/web/80", endpoints...)
	for i := range 200 {
		l.push(set(key, []string{with, without}[i%2]))
		_, body := get(t, client, l.url("/a/"))
		counts[body]++
	}
	for _, name := range []string{"0", "1", "2"} {
		if counts[name] != 50 {
			t.Errorf("endpoint %s got %d of 200 requests over pushes, want 50: %v", name, counts[name], counts)
		}
	}
}

func TestWeights(t *testing.T) {
	a, b, c := echo(t, "a"), echo(t, "b"), echo(t, "c")
	entry := func(addr string, weight any) string {
		return fmt.Sprintf(`["127.0.0.1",%s,%v]`, portOf(addr), weight)
	}
	for name, test := range map[string]struct {
		weights  [3]any
		requests int
		want     map[string]int
	}{
		"smooth":          {[3]any{5, 1, 1}, 70, map[string]int{"a": 50, "b": 10, "c": 10}},
		"common divisor":  {[3]any{4000, 2000, 2000}, 40, map[string]int{"a": 20, "b": 10, "c": 10}},
		"zero is one":     {[3]any{0, 0, 0}, 30, map[string]int{"a": 10, "b": 10, "c": 10}},
		"odd values":      {[3]any{-5, `"x"`, "null"}, 30, map[string]int{"a": 10, "b": 10, "c": 10}},
		"fraction is one": {[3]any{1.9, 0.3, 1}, 30, map[string]int{"a": 10, "b": 10, "c": 10}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.workers = 1
			data := simple(a)
			data["b:default/web/80"] = fmt.Sprintf(`{"endpoints":[%s,%s,%s]}`,
				entry(a, test.weights[0]), entry(b, test.weights[1]), entry(c, test.weights[2]))
			l.start(data)
			client := &http.Client{Transport: &http.Transport{}}
			got, last, streak := map[string]int{}, "", 0
			for range test.requests {
				_, body := get(t, client, l.url("/a/"))
				got[body]++
				if body == last {
					streak++
				} else {
					last, streak = body, 1
				}
				if streak > 5 {
					t.Errorf("%d requests in a row for %s", streak, body)
				}
			}
			for name, n := range test.want {
				if got[name] != n {
					t.Errorf("got %v, want %v", got, test.want)
					break
				}
			}
		})
	}
}

func TestIPv6Endpoint(t *testing.T) {
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6 loopback: %v", err)
	}
	s := &httptest.Server{Listener: listener, Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "six") })}}
	s.Start()
	defer s.Close()
	six := listener.Addr().String()
	dead := fmt.Sprintf("[::1]:%d", freePort(t))
	l := newLab(t)
	l.start(simple(dead, six))
	for range 10 {
		if status, body := get(t, newClient(), l.url("/a/")); status != 200 || body != "six" {
			t.Fatalf("answer %d %q", status, body)
		}
	}
}

func TestNameReachesTheLog(t *testing.T) {
	l := newLab(t)
	l.start(simple(echo(t, "one")))
	for path, want := range map[string]string{"/a/": "name-a", "/b/": "-"} {
		resp, err := newClient().Get(l.url(path))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("X-Name"); got != want {
			t.Errorf("%s: upstream name %q, want %q", path, got, want)
		}
	}
}
