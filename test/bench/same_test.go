package main

import (
	"strings"
	"testing"
)

func TestDifference(t *testing.T) {
	base := func() exchange {
		return exchange{
			upstream: []string{"GET / HTTP/1.1", "Host: a", "X-Forwarded-Port: 8080", "X-Request-ID: 0123456789abcdef0123456789abcdef"},
			response: []string{"200", "Content-Length: 2"},
			logged:   `127.0.0.1 - - [21/Nov/2026:09:00:00 +0000] "GET / HTTP/1.1" 200 2 [bench-web-80] [] 127.0.0.1:9000 0123456789abcdef0123456789abcdef`,
		}
	}
	for _, c := range []struct {
		name   string
		change func(e *exchange)
		want   string // part of the error; "" for none
	}{
		{"a header less", func(e *exchange) { e.upstream = e.upstream[:3] }, "X-Request-ID"},
		{"a header more", func(e *exchange) { e.upstream = append(e.upstream, "X-More: yes") }, "X-More"},
		{"the same header twice", func(e *exchange) { e.upstream = append(e.upstream, "Host: a") }, "request to the backend"},
		{"another value", func(e *exchange) { e.upstream[1] = "Host: b" }, "Host: b"},
		{"an id of another length", func(e *exchange) { e.upstream[3] = "X-Request-ID: abc" }, "abc"},
		{"another response header", func(e *exchange) { e.response[1] = "Transfer-Encoding: chunked" }, "response to the client"},
		{"a field of the log less", func(e *exchange) { e.logged = strings.Replace(e.logged, " []", "", 1) }, "access log"},
		{"another upstream in the log", func(e *exchange) { e.logged = strings.Replace(e.logged, "bench-web-80", "-", 1) }, "access log"},
		{"no log", func(e *exchange) { e.logged = "" }, "access log"},
		{"nothing", func(*exchange) {}, ""},
		{"another order", func(e *exchange) { e.upstream[1], e.upstream[2] = e.upstream[2], e.upstream[1] }, ""},
		{"another port, id and time", func(e *exchange) {
			e.upstream[2], e.upstream[3] = "X-Forwarded-Port: 90", "X-Request-ID: ffffffffffffffffffffffffffffffff"
			e.logged = strings.NewReplacer("21/Nov/2026:09", "1/Dec/2027:10", "0123456789abcdef", "aaaaaaaaaaaaaaaa").Replace(e.logged)
		}, ""},
	} {
		other := base()
		c.change(&other)
		got := errText(difference(base(), other))
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: difference = %q, want %q in it", c.name, got, c.want)
		}
	}
}
