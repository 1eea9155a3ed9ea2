package cluster

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http2"
)

// http2RoundTrip sends one request as the only stream of the connection.
func http2RoundTrip(conn net.Conn, scheme, host, target string, q Request) (*http.Response, error) {
	c, err := (&http2.Transport{}).NewClientConn(conn)
	if err != nil {
		return nil, fmt.Errorf("http/2: %w", err)
	}
	r := &http.Request{
		Method: method(q), Host: host, Header: q.Header.Clone(), Proto: "HTTP/2.0", ProtoMajor: 2,
		URL: &url.URL{Scheme: scheme, Host: host, Opaque: target},
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if q.Body != "" {
		r.Body = readCloser{strings.NewReader(q.Body)}
		r.ContentLength = int64(len(q.Body))
	}
	return c.RoundTrip(r)
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
