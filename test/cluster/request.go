package cluster

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sort"
	"strings"
	"time"
)

// A Request is one HTTP request. What is zero is as plain as can be.
type Request struct {
	Method string
	// URL is scheme, host and what comes after it: that is sent byte by byte.
	// The scheme chooses Sallyport's port; the host is the Host header and the
	// TLS server name.
	URL     string
	Host    string // the Host header, where it differs from the URL's host
	Header  http.Header
	Body    string
	TLS     *tls.Config // for https; verifying is off, tests look at the certificates
	Address string      // where to connect to, in place of loopback: another address of the same port
	HTTP2   bool
}

// A Response is what came back.
type Response struct {
	Status int
	Proto  string
	Header http.Header
	Body   string
	TLS    *tls.ConnectionState // nil without TLS
	// Seen is what the backend saw, if one of Echo answered.
	Seen *Seen
}

// String is short, for messages of tests.
func (r Response) String() string {
	s := fmt.Sprintf("%d", r.Status)
	if l := r.Header.Get("Location"); l != "" {
		s += " to " + l
	}
	if r.Seen != nil {
		s += " from " + r.Seen.Backend
	}
	return s
}

// Get sends one GET request. See Do.
func (s *Sallyport) Get(t T, url string) Response {
	t.Helper()
	return s.Do(t, Request{URL: url})
}

// Do sends exactly one request on a connection of its own. It is never
// repeated, and whatever isn't an HTTP response ends the test.
func (s *Sallyport) Do(t T, q Request) Response {
	t.Helper()
	r, err := s.Try(q)
	if err != nil {
		t.Fatalf("%s: %v", q.URL, err)
	}
	return r
}

// Try is Do for those who expect an error, such as a refused handshake.
func (s *Sallyport) Try(q Request) (Response, error) {
	scheme, host, rest := split(q.URL)
	conn, err := s.dial(scheme, host, q)
	if err != nil {
		return Response{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return Response{}, err
	}
	if q.Host != "" {
		host = q.Host
	}
	var r *http.Response
	if q.HTTP2 {
		r, err = http2RoundTrip(conn, scheme, host, rest, q)
	} else {
		r, err = roundTrip(conn, host, rest, q)
	}
	if err != nil {
		return Response{}, err
	}
	defer r.Body.Close()
	return response(conn, r)
}

func split(url string) (scheme, host, rest string) {
	scheme, after, ok := strings.Cut(url, "://")
	if !ok {
		scheme, after = "http", url
	}
	host, rest = after, "/"
	if i := strings.IndexAny(after, "/?"); i >= 0 {
		host, rest = after[:i], after[i:]
	}
	return scheme, host, rest
}

func (s *Sallyport) dial(scheme, host string, q Request) (net.Conn, error) {
	port := s.HTTP
	if scheme == "https" {
		port = s.HTTPS
	}
	address := q.Address
	if address == "" {
		address = "127.0.0.1"
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(address, fmt.Sprint(port)))
	if err != nil || scheme != "https" {
		return conn, err
	}
	config := &tls.Config{}
	if q.TLS != nil {
		config = q.TLS.Clone()
	}
	config.InsecureSkipVerify = true
	if config.ServerName == "" {
		config.ServerName = host
	}
	if q.HTTP2 {
		config.NextProtos = []string{"h2"}
	}
	secured := tls.Client(conn, config)
	if err := secured.Handshake(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return secured, nil
}

// roundTrip writes the request by hand: nothing tidies the path, and nothing
// sends it again.
func roundTrip(conn net.Conn, host, target string, q Request) (*http.Response, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method(q), target, host)
	if q.Header.Get("Connection") == "" {
		b.WriteString("Connection: close\r\n")
	}
	names := make([]string, 0, len(q.Header))
	for name := range q.Header {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, value := range q.Header[name] {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	if q.Body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(q.Body))
	}
	b.WriteString("\r\n" + q.Body)
	if _, err := conn.Write(b.Bytes()); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method(q)})
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return r, nil
}

func method(q Request) string {
	if q.Method == "" {
		return http.MethodGet
	}
	return q.Method
}

func response(conn net.Conn, r *http.Response) (Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return Response{}, fmt.Errorf("read the body after status %d: %w", r.StatusCode, err)
	}
	answer := Response{Status: r.StatusCode, Proto: r.Proto, Header: r.Header, Body: string(body)}
	if c, ok := conn.(*tls.Conn); ok {
		state := c.ConnectionState()
		answer.TLS = &state
	}
	if r.Header.Get(seenHeader) != "" {
		answer.Seen = &Seen{}
		if err := json.Unmarshal(body, answer.Seen); err != nil {
			return Response{}, fmt.Errorf("the backend's answer: %w", err)
		}
	}
	return answer, nil
}
