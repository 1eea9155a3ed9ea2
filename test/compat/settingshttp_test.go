package compat

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// answer is what f says of the response to a request.
func answer(q cluster.Request, f func(cluster.Response) string) func(client) string {
	return func(c client) string { return f(c.do(q)) }
}

// heads asks with one header, and says what comes of it.
func heads(name, value string) func(client) string {
	return answer(cluster.Request{URL: "http://HOST/", Header: http.Header{name: {value}}}, short)
}

// saw says what the endpoint saw of a header that a client sent.
func saw(name, value string) func(client) string {
	return answer(cluster.Request{URL: "http://HOST/", Header: http.Header{name: {value}}}, func(r cluster.Response) string {
		return fmt.Sprint(r.Status, r.Seen.Header[http.CanonicalHeaderKey(name)])
	})
}

func plain(path string) cluster.Request  { return cluster.Request{URL: "http://HOST" + path} }
func secure(path string) cluster.Request { return cluster.Request{URL: "https://HOST" + path} }

// header is a response's.
func header(name string) func(cluster.Response) string {
	return func(r cluster.Response) string { return r.Header.Get(name) }
}

// reused says how many requests one connection carries, up to three.
func reused(c client) string {
	conn := c.open("")
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for n := range 3 {
		if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", c.host); err != nil {
			return fmt.Sprint(n)
		}
		r, err := http.ReadResponse(reader, nil)
		if err != nil {
			return fmt.Sprint(n)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.Close {
			return fmt.Sprint(n + 1)
		}
	}
	return "all"
}

// cut says whether nginx ends a connection within some seconds after a client has
// sent so much of a request. That one is waited for in vain can only hide that a
// key is not proven.
func cut(text string) func(client) string {
	return func(c client) string {
		conn := c.open(strings.ReplaceAll(text, "HOST", c.host))
		defer conn.Close()
		if err := conn.SetReadDeadline(time.Now().Add(4 * time.Second)); err != nil {
			c.t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil && os.IsTimeout(err) {
			return "kept"
		}
		return "cut"
	}
}

// protocol is the one that TLS settles on with a client that has both.
func protocol(c client) string {
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.site.HTTPS), &tls.Config{ServerName: c.host, InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().NegotiatedProtocol
}

// streams is how many requests at once nginx tells a client of HTTP/2.
func streams(c client) string {
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.site.HTTPS), &tls.Config{ServerName: c.host, InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		c.t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		c.t.Fatal(err)
	}
	frame, err := framer.ReadFrame()
	if err != nil {
		c.t.Fatal(err)
	}
	settings, ok := frame.(*http2.SettingsFrame)
	if !ok {
		return fmt.Sprint(frame)
	}
	n, _ := settings.Value(http2.SettingMaxConcurrentStreams)
	return fmt.Sprint(n)
}

// strict is the header of HSTS.
var strict = answer(secure("/"), header("Strict-Transport-Security"))

func httpKeys() map[string]keyProof {
	long := strings.Repeat("x", 10<<10)
	all := numbered(
		one("server-tokens", "true", "true", answer(plain("/"), func(r cluster.Response) string {
			return fmt.Sprint(strings.HasPrefix(r.Header.Get("Server"), "nginx/"))
		})),
		one("generate-request-id", "false", "", answer(plain("/"), func(r cluster.Response) string { return r.Seen.Header.Get("X-Request-Id") })),
		one("enable-underscores-in-headers", "true", "200 [a]", saw("X_under", "a")),
		one("ignore-invalid-headers", "false", "200 [a]", saw("X_under", "a")),
		one("large-client-header-buffers", "4 16k", "web", heads("X-Long", long)),
		keyProof{keys: []string{"client-header-buffer-size"}, settings: map[string]string{"client-header-buffer-size": "16k", "large-client-header-buffers": "4 1k"},
			ask: plainly(heads("X-Long", long)), want: "web"},
		one("keep-alive-requests", "2", "2", reused), one("keep-alive", "0", "1", reused),
		one("client-header-timeout", "1", "cut", cut("GET / HTTP/1.1\r\nHost: HO")),
		one("client-body-timeout", "1", "cut", cut("POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 10\r\n\r\na")),
		one("use-http2", "false", "http/1.1", protocol), one("http2-max-concurrent-streams", "7", "7", streams),
		one("hsts", "false", "", strict), one("hsts-max-age", "7", "max-age=7; includeSubDomains", strict),
		one("hsts-include-subdomains", "false", "max-age=31536000", strict), one("hsts-preload", "true", "max-age=31536000; includeSubDomains; preload", strict),
	)
	return joined(all, movedAll(limitGroup(), nil, "limit-rate", "limit-rate-after"), limitStatusKeys())
}

// limitStatusKeys are the statuses of the two limits.
func limitStatusKeys() map[string]keyProof {
	requests := one("limit-req-status-code", "429", "web web 429", func(c client) string { return burst("", "/", "/", "/").ask(c) })
	requests.ingress.annotations = map[string]string{"limit-rpm": "1", "limit-burst-multiplier": "1"}
	connections := one("limit-conn-status-code", "430", "430 200 web web", twoAtOnce)
	connections.ingress.annotations = map[string]string{"limit-connections": "1"}
	return map[string]keyProof{"status of requests": requests, "status of connections": connections}
}

// redirectKeys are about redirects of nginx's own, and of endpoints.
func redirectKeys() map[string]keyProof {
	secured := func(p keyProof) keyProof {
		p.ingress.tls = true
		return p
	}
	get := func(path string) func(client) string { return answer(plain(path), short) }
	free := secured(one("no-tls-redirect-locations", "/free, /open", "web", get("/free/x")))
	free.ingress.paths = []string{"Prefix /", "Prefix /free"}
	moving := func(keys ...string) keyProof {
		return keyProof{keys: keys, settings: map[string]string{"proxy-redirect-from": "http://web.internal/", "proxy-redirect-to": "/to/"}, service: "answers",
			prepare: answering, ask: plainly(get("/moved")), want: "302 http://HOST/to/x"}
	}
	return joined(numbered(
		secured(one("ssl-redirect", "false", "web", get("/x"))), one("force-ssl-redirect", "true", "308 https://HOST/x", get("/x")),
		secured(one("http-redirect-code", "301", "301 https://HOST/x", get("/x"))), secured(one("preserve-trailing-slash", "true", "308 https://HOST/x/", get("/x/"))),
		free, moving("proxy-redirect-from", "proxy-redirect-to"),
	), movedAll(pathsGroup(), nil, "relative-redirects", "use-port-in-redirects"))
}

// answering makes the service answers.
func answering(t *testing.T, p *keyProof, g *site) {
	cluster.Serve(t, http.HandlerFunc(answers), g.address(10)+":8080")
	p.more = service("answers", g.address(10))
}
