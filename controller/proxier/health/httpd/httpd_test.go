package httpd

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAddress(t *testing.T) {
	for flag, want := range map[string]string{
		"":                   "",
		"0.0.0.0":            "0.0.0.0:10256",
		"0.0.0.0:1":          "0.0.0.0:1",
		"::":                 "[::]:10256",
		"[::]:10256":         "[::]:10256",
		"127.0.0.1:10249":    "127.0.0.1:10249",
		"localhost:10249":    "error",
		":10249":             "error",
		"10249":              "error",
		"1.2.3.4:70000":      "error",
		"010.0.0.1:10249":    "error",
		"[2001:db8::1]:9999": "[2001:db8::1]:9999",
	} {
		got, err := Address(flag, 10256)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: got %q (%v), want %q", flag, got, err, want)
		}
	}
}

// lines is a log of which each line can be waited for.
type lines chan string

func (l lines) Write(b []byte) (int, error) { l <- string(b); return len(b), nil }

func (l lines) await(t *testing.T, text string) {
	t.Helper()
	if got := <-l; !strings.Contains(got, text) {
		t.Fatalf("logged %q, want %q", got, text)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })

// An address that is taken is told to who asks, and taken over when it is free.
func TestTakenAddress(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := other.Addr().String()
	log := make(lines, 100)
	s := New("test", address, hello, time.Second, slog.New(slog.NewTextHandler(log, nil)))
	s.again = time.Millisecond
	if err := s.Bind(t.Context()); err == nil {
		t.Fatal("took an address that is taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		s.Serve(ctx)
		close(done)
	}()
	log.await(t, "can't listen")
	other.Close()
	log.await(t, "listening") // and no other line
	if got := get(t, "http://"+address); got != "hello" {
		t.Errorf("got %q", got)
	}
	cancel()
	<-done
	if l, err := net.Listen("tcp", address); err != nil {
		t.Error("the address was not given back: ", err)
	} else {
		l.Close()
	}
}

// A context that is done before Serve leaves nothing open, bound or not.
func TestServeAfterTheEnd(t *testing.T) {
	for _, bound := range []bool{false, true} {
		s := New("test", "127.0.0.1:0", hello, time.Second, slog.New(slog.DiscardHandler))
		if bound {
			if err := s.Bind(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Serve(ctx)
		if s.listener != nil {
			t.Error("still open")
		}
	}
}

// A client that never ends its request is sent away.
func TestSlowClient(t *testing.T) {
	s := New("test", "127.0.0.1:0", hello, time.Second, slog.New(slog.DiscardHandler))
	s.http.ReadHeaderTimeout = time.Millisecond
	if err := s.Bind(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go s.Serve(t.Context())
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nSlow: "); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c) // returns when the server has closed
	if err != nil || strings.HasPrefix(string(answer), "HTTP/1.1 200") {
		t.Errorf("got %q, %v", answer, err)
	}
}
