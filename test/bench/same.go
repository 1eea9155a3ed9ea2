package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// What may differ between two requests that are alike: an id, and any number.
var (
	anyID     = regexp.MustCompile(`\b[0-9a-f]{32}(\|[0-9a-f]+)?\b`)
	anyMonth  = regexp.MustCompile(`/[A-Z][a-z]{2}/`)
	anyNumber = regexp.MustCompile(`\d+`)
)

// shape is a text without what may differ.
func shape(s string) string {
	return anyNumber.ReplaceAllString(anyMonth.ReplaceAllString(anyID.ReplaceAllString(s, "ID"), "/Mon/"), "N")
}

// An exchange is what one request through a contestant became at its ends.
type exchange struct {
	upstream []string // header lines of the request that the backend got
	response []string // status and header lines of the response that the client got
	logged   string   // the line of the access log
}

// difference says how two contestants treat a request unlike each other.
func difference(a, b exchange) error {
	for _, part := range []struct {
		what string
		a, b []string
	}{{"request to the backend", a.upstream, b.upstream}, {"response to the client", a.response, b.response}, {"access log", []string{a.logged}, []string{b.logged}}} {
		x, y := shapes(part.a), shapes(part.b)
		if !slices.Equal(x, y) {
			return fmt.Errorf("%s: one has %q, the other has %q", part.what, except(x, y), except(y, x))
		}
	}
	return nil
}

func shapes(lines []string) []string {
	out := make([]string, 0, len(lines))
	for _, l := range lines {
		out = append(out, shape(l))
	}
	slices.Sort(out)
	return out
}

func except(lines, others []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return slices.Contains(others, l) })
}

// observe sends one request through a contestant to a backend that listens just
// for this, and collects what it became.
func observe(s *lab.Session, c contestant, k *client, backend string) exchange {
	if c.log != "" {
		s.Must(os.Truncate(c.log, 0), "access log")
	}
	got := capture(s, backend)
	a, err := k.do()
	k.close()
	s.Must(err, c.name)
	if a.status != http.StatusOK {
		s.Fatalf("%s: status %d, want 200", c.name, a.status)
	}
	e := exchange{upstream: <-got, response: []string{fmt.Sprint(a.status)}}
	for name, values := range a.header {
		if name == "Date" {
			continue
		}
		for _, v := range values {
			e.response = append(e.response, name+": "+v)
		}
	}
	if c.log != "" {
		e.logged = logLine(s, c)
	}
	return e
}

// capture listens for one request and gives its lines, as they came.
func capture(s *lab.Session, address string) <-chan []string {
	l, err := net.Listen("tcp", address)
	s.Must(err, "backend")
	got := make(chan []string, 1)
	go func() {
		defer close(got)
		conn, err := l.Accept()
		l.Close()
		if err != nil {
			return
		}
		defer conn.Close()
		in := textproto.NewReader(bufio.NewReader(conn))
		var lines []string
		for {
			line, err := in.ReadLine()
			if err != nil {
				return
			}
			if line == "" {
				break
			}
			lines = append(lines, line)
		}
		got <- lines
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	}()
	return got
}

// logLine waits for the line of the only request. nginx writes it after the
// response.
func logLine(s *lab.Session, c contestant) string {
	var line string
	c.Await(s, "it has logged", func() bool {
		text, err := os.ReadFile(c.log)
		if err != nil {
			return false
		}
		before, _, whole := strings.Cut(string(text), "\n")
		line = before
		return whole
	})
	return line
}
