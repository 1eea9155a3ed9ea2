package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// NoHTTP3 says why nothing can be tried with HTTP/3 here, "" where it can.
func NoHTTP3() string {
	said, err := inRoot(exec.Command("nginx", "-V")).CombinedOutput()
	if err != nil {
		return err.Error()
	}
	if bytes.Contains(said, []byte("--with-http_v3_module")) {
		return ""
	}
	version, _, _ := strings.Cut(string(said), "\n")
	return "NO HTTP/3 WAS TESTED: the " + version + " of this machine is built without it; Debian 13's has it"
}

// An HTTP3 is a connection of QUIC. Nothing on it is sent again but packets.
type HTTP3 struct {
	conn   *quic.Conn
	client *http3.ClientConn
}

// DialHTTP3 opens a connection to Sallyport for a server name.
func (s *Sallyport) DialHTTP3(host string, config *tls.Config) (*HTTP3, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	config.InsecureSkipVerify, config.NextProtos = true, []string{http3.NextProtoH3}
	if config.ServerName == "" {
		config.ServerName = host
	}
	conn, err := quic.DialAddr(ctx, fmt.Sprintf("127.0.0.1:%d", s.HTTPS), config, nil)
	if err != nil {
		return nil, fmt.Errorf("quic: %w", err)
	}
	return &HTTP3{conn, (&http3.Transport{}).NewClientConn(conn)}, nil
}

// Try sends one request.
func (c *HTTP3) Try(q Request) (Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, host, rest := split(q.URL)
	if q.Host != "" {
		host = q.Host
	}
	target, err := url.ParseRequestURI(rest)
	if err != nil {
		return Response{}, err
	}
	target.Scheme, target.Host = "https", host
	r, err := http.NewRequestWithContext(ctx, method(q), target.String(), strings.NewReader(q.Body))
	if err != nil {
		return Response{}, err
	}
	for name, values := range q.Header {
		r.Header[name] = values
	}
	got, err := c.client.RoundTrip(r)
	if err != nil {
		return Response{}, fmt.Errorf("http/3: %w", err)
	}
	defer got.Body.Close()
	answer, err := response(nil, got)
	state := c.conn.ConnectionState().TLS
	answer.TLS = &state
	return answer, err
}

// Close ends the connection.
func (c *HTTP3) Close() { _ = c.conn.CloseWithError(0, "") }

// Ended is closed when the connection has ended.
func (c *HTTP3) Ended() <-chan struct{} { return c.conn.Context().Done() }

// HTTP3 sends one request on a connection of its own.
func (s *Sallyport) HTTP3(t T, q Request) Response {
	t.Helper()
	_, host, _ := split(q.URL)
	c, err := s.DialHTTP3(host, q.TLS)
	if err != nil {
		t.Fatalf("%s: %v", q.URL, err)
	}
	defer c.Close()
	r, err := c.Try(q)
	if err != nil {
		t.Fatalf("%s: %v", q.URL, err)
	}
	return r
}
