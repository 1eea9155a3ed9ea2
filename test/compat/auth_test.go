package compat

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

const (
	authServer = "http://10.244.99.20:8080"
	authSecure = "https://10.244.99.20:8443"
)

// seenByAuth is the last request that the server got, asks how many, and dials how
// many connections it had.
var (
	seenByAuth  atomic.Pointer[http.Request]
	asks, dials atomic.Int64
)

// authServerObjects start a server that answers with the status that the first
// element of its path says: /401 is a 401. With ?cookie it sets one, with ?user
// it says who the user is.
func authServerObjects(t *testing.T, _ *site) string {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seenByAuth.Store(r)
		asks.Add(1)
		status, err := strconv.Atoi(strings.Split(r.URL.Path, "/")[1])
		if err != nil { // the client says
			status, _ = strconv.Atoi(r.Header.Get("X-Want"))
		}
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		if r.URL.Query().Has("cookie") {
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
		}
		if r.URL.Query().Has("user") {
			w.Header().Set("X-User", "joe")
		}
		if status == 401 {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		w.WriteHeader(status)
	})
	count := func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			dials.Add(1)
		}
	}
	serveOn(t, "10.244.99.20:8080", &http.Server{Handler: handler, ConnState: count})
	serveOn(t, "10.244.99.20:8443", &http.Server{Handler: handler, TLSConfig: &tls.Config{Certificates: []tls.Certificate{newPKI(t).pair("auth.example.org")}}})
	return `apiVersion: v1
kind: ConfigMap
metadata: {name: more, namespace: default}
data: {X-More: "of $host \"} return 200;", X-Original-Method: "ours"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: wrong, namespace: default}
data: {"X-More": "$nothing"}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: opened, namespace: default}
spec:
  rules: [{host: closed.example.com, http: {paths: [{pathType: Prefix, path: /open, backend: {service: {name: other, port: {number: 80}}}}]}}]
`
}

// asksWith sends a request and says what came of it and what the server saw.
func asksWith(q cluster.Request, seen func(*http.Request) string, want string) probe {
	return probe{"asking with " + q.URL, func(c client) string {
		seenByAuth.Store(nil)
		got := short(c.do(q))
		if r := seenByAuth.Load(); r != nil {
			return got + " " + seen(r)
		}
		return got + " unasked"
	}, want}
}

func headersOf(names ...string) func(*http.Request) string {
	return func(r *http.Request) string {
		var all []string
		for _, name := range names {
			all = append(all, strings.Join(r.Header.Values(name), "+"))
		}
		return strings.Join(all, " ")
	}
}

// upstream says what the endpoint saw of a header.
func upstream(name, path string, header http.Header, want string) probe {
	return probe{name + " of " + path, func(c client) string {
		r := c.do(cluster.Request{URL: "http://HOST" + path, Header: header})
		if r.Seen == nil {
			return fmt.Sprint(r.Status)
		}
		return strings.Join(r.Seen.Header.Values(name), "+")
	}, want}
}

// wants has a client name the status that the server is to answer.
func wants(status, cookie, want string) probe {
	return probe{"wants " + status, func(c client) string {
		return short(c.do(cluster.Request{URL: "http://HOST/", Header: http.Header{"X-Want": {status}, "Cookie": {cookie}}}))
	}, want}
}

// identities says whether the server and the endpoint see one X-Request-ID.
func identities(c client) string {
	r := c.get("/")
	asked := seenByAuth.Load()
	if r.Seen == nil || asked == nil || r.Seen.Header.Get("X-Request-ID") == "" || asked.Header.Get("X-Request-ID") == "" {
		return fmt.Sprint(r.Status, " none")
	}
	if r.Seen.Header.Get("X-Request-ID") == asked.Header.Get("X-Request-ID") {
		return "the same"
	}
	return "two"
}

func cookiesOf(path, want string) probe {
	return probe{"cookies of " + path, func(c client) string {
		r := c.get(path)
		return fmt.Sprint(r.Status, " ", strings.Join(r.Header.Values("Set-Cookie"), "+"))
	}, want}
}

// counted says by how much n grows with six requests.
func counted(n *atomic.Int64, path string, least, most int64) probe {
	return probe{"six times", func(c client) string {
		before := n.Load()
		for range 6 {
			if got := short(c.get(path)); got != "web" {
				return got
			}
		}
		grown := n.Load() - before
		return fmt.Sprint(grown >= least && grown <= most)
	}, "true"}
}

func authGroup() group {
	const key = "auth-url"
	at := func(path string, more ...string) map[string]string {
		all := map[string]string{key: authServer + path}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	get := cluster.Request{URL: "http://HOST/a%20b?c=d"}
	var cases []proof
	// What each status of the server's comes to, for what any client may send.
	for _, status := range strings.Fields("200 204 401 403 302 304 404 500") {
		want := map[string]string{"200": "web", "204": "web", "401": "401", "403": "403"}[status]
		if want == "" {
			want = "500"
		}
		var probes []probe
		for _, q := range []cluster.Request{
			get, {URL: "https://HOST/", HTTP2: true}, {URL: "http://HOST/", Method: "POST", Body: "a body"}, {URL: "https://HOST/", HTTP2: true, Method: "POST", Body: "a body"},
			{URL: "http://HOST/", Header: http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}},
		} {
			probes = append(probes, asksWith(q, func(r *http.Request) string { return fmt.Sprint(r.Method, r.ContentLength) }, want+" GET0"))
		}
		keys := []string{key}
		if want == "web" {
			keys = nil
		}
		cases = append(cases, proof{keys: keys, annotations: at("/" + status), probes: probes})
	}
	for _, url := range []string{
		"http://10.244.99.21:8080/", "http://10.244.99.20:8080", // nobody there; no status
	} {
		cases = append(cases, proof{keys: []string{key}, annotations: map[string]string{key: url}, probes: []probe{gets("/", "500")}})
	}
	// CVE-2025-24514 and its like: no text closes a directive, or opens a site.
	for _, url := range []string{
		"http://a.example.org/#;}\n}\nssl_engine x;", "http://a.example.org/\"; return 200; #", "ftp://a.example.org/", "http://a.example.org/$document_root",
		"http://joe:secret@a.example.org/", "http://a$arg_x/", "not a URL", "http://$host:99/",
	} {
		cases = append(cases, proof{keys: []string{key}, annotations: map[string]string{key: url}, probes: []probe{gets("/", "503")}})
	}
	return group{name: "auth", objects: authServerObjects, cases: append(cases,
		proof{keys: []string{key}, annotations: at("/200?u=$escaped_request_uri&h=${host}$is_args$args"), probes: []probe{
			asksWith(get, func(r *http.Request) string { return r.Host + r.RequestURI }, "web 10.244.99.20:8080/200?u=%2Fa%2520b%3Fc%3Dd&h=HOST?c=d"),
			asksWith(get, headersOf("X-Original-URL", "X-Original-Method", "X-Sent-From", "X-Real-IP", "X-Forwarded-For", "X-Auth-Request-Redirect"),
				"web http://HOST/a%20b?c=d GET nginx-ingress-controller 127.0.0.1 127.0.0.1 /a%20b?c=d"),
			asksWith(cluster.Request{URL: "http://HOST/", Header: http.Header{
				"X-Original-Url": {"http://other/"}, "X_original_url": {"x"}, "X-Real-Ip": {"1.2.3.4"}, "Cookie": {"a=b"}, "Authorization": {"Bearer x"},
			}}, headersOf("X-Original-URL", "X-Real-IP", "Cookie", "Authorization"), "web http://HOST/ 127.0.0.1 a=b Bearer x"),
		}},
		proof{keys: []string{key}, annotations: map[string]string{key: authSecure + "/403"}, probes: []probe{
			asksWith(get, func(r *http.Request) string { return strconv.FormatBool(r.TLS != nil) }, "403 true"),
		}},
		// The request's own host is this nginx; one that asks about itself gets an error.
		proof{keys: []string{key}, annotations: map[string]string{key: "http://$host/ask"}, probes: []probe{gets("/", "500")}},
		proof{keys: []string{key}, annotations: map[string]string{key: "https://$host/ask"}, probes: []probe{gets("/", "403")}, more: ownAuth},
		// It sees the client, and not this machine's own address.
		proof{annotations: map[string]string{key: "http://$host/ask"}, probes: ownFrom, more: strings.Replace(ownAuth, "denylist", "allowlist", 1)},
		proof{annotations: map[string]string{key: "https://$host/ask"}, probes: ownFrom, more: strings.Replace(ownAuth, "denylist", "allowlist", 1)},
		proof{annotations: map[string]string{key: "https://$host/ask"}, probes: []probe{gets("/", "web")}, more: strings.Replace(ownAuth, "denylist-source-range: 127.0.0.1", "force-ssl-redirect: \"true\"", 1)},
		proof{keys: []string{"auth-method"}, annotations: at("/200", "auth-method", "POST"), probes: []probe{
			asksWith(get, func(r *http.Request) string { return r.Method + r.Header.Get("X-Original-Method") }, "web POSTGET"),
		}},
		// CVE-2026-24513: whoever answers in the place of a 401, nobody is let in.
		proof{annotations: at("/401", "custom-http-errors", "401,403", "default-backend", "other"), probes: []probe{gets("/", "401")}},
		// CVE-2026-1580.
		proof{keys: []string{"auth-method"}, annotations: at("/200", "auth-method", "GET; return 200 x"), probes: []probe{gets("/", "503")}},
		proof{keys: []string{"auth-signin"}, annotations: at("/401", "auth-signin", "https://$host/login?a=b"), probes: []probe{
			gets("/x?y=z", "302 https://HOST/login?a=b&rd=http://HOST%2Fx%3Fy%3Dz"),
		}},
		proof{keys: []string{"auth-signin"}, annotations: at("/401", "auth-signin", "https://in.example.org/?rd=$escaped_request_uri"), probes: []probe{
			gets("/x?y=z", "302 https://in.example.org/?rd=%2Fx%3Fy%3Dz"),
		}},
		proof{annotations: at("/403", "auth-signin", "https://in.example.org/"), probes: []probe{gets("/", "403")}},
		proof{keys: []string{"auth-signin-redirect-param"}, annotations: at("/401", "auth-signin", "https://in.example.org/?rd=1", "auth-signin-redirect-param", "back"), probes: []probe{
			gets("/x", "302 https://in.example.org/?rd=1&back=http://HOST%2Fx"),
		}},
		proof{keys: []string{"auth-response-headers"}, annotations: at("/200?user", "auth-response-headers", "X-User, X-Other"), probes: []probe{
			upstream("X-User", "/", nil, "joe"), upstream("X-User", "/", http.Header{"X-User": {"root"}}, "joe"),
			upstream("X-Other", "/", http.Header{"X-Other": {"root"}}, ""),
		}},
		// A passed address is no reason to believe the client.
		proof{annotations: at("/200", "auth-response-headers", "X-User", "satisfy", "any", "allowlist-source-range", "127.0.0.1"), probes: []probe{
			upstream("X-User", "/", http.Header{"X-User": {"root"}}, ""),
		}},
		proof{annotations: at("/x", "satisfy", "any", "allowlist-source-range", "203.0.113.1"), probes: []probe{
			wants("200", "", "web"), wants("401", "", "401"),
			wants("404", "", "500"),
		}},
		proof{keys: []string{"auth-response-headers"}, annotations: at("/200", "auth-response-headers", "Content-Length"), probes: []probe{gets("/", "503")}},
		proof{keys: []string{"auth-request-redirect"}, annotations: at("/200", "auth-request-redirect", "https://$host/back"), probes: []probe{
			asksWith(get, headersOf("X-Auth-Request-Redirect"), "web https://HOST/back"),
		}},
		proof{annotations: at("/200?cookie"), probes: []probe{cookiesOf("/", "200 a=1+b=2")}},
		proof{annotations: at("/403?cookie"), probes: []probe{cookiesOf("/", "403 ")}},
		proof{keys: []string{"auth-always-set-cookie"}, annotations: at("/403?cookie", "auth-always-set-cookie", "true"), probes: []probe{cookiesOf("/", "403 a=1+b=2")}},
		// CVE-2025-15566: a value is a value.
		proof{keys: []string{"auth-proxy-set-headers"}, annotations: at("/200", "auth-proxy-set-headers", "default/more"), probes: []probe{
			asksWith(get, headersOf("X-More", "X-Original-Method"), "web of HOST \"} return 200; ours"),
		}},
		proof{keys: []string{"auth-proxy-set-headers"}, annotations: at("/200", "auth-proxy-set-headers", "wrong"), probes: []probe{gets("/", "503")}},
		proof{keys: []string{"auth-proxy-set-headers"}, annotations: at("/200", "auth-proxy-set-headers", "missing"), probes: []probe{gets("/", "503")}},
		proof{keys: []string{"auth-keepalive"}, annotations: at("/200", "auth-keepalive", "4"), probes: []probe{counted(&dials, "/", 1, 4)}},
		proof{keys: []string{"auth-keepalive-requests"}, annotations: at("/200", "auth-keepalive", "4", "auth-keepalive-requests", "1"), probes: []probe{counted(&dials, "/", 6, 6)}},
		proof{keys: []string{"auth-keepalive-share-vars"}, annotations: at("/200", "auth-keepalive", "4", "auth-keepalive-share-vars", "true"), probes: []probe{
			{"X-Request-ID", identities, "the same"},
		}},
		proof{keys: []string{"auth-keepalive"}, annotations: at("/200", "auth-keepalive", "4"), probes: []probe{{"X-Request-ID", identities, "two"}}},
		proof{keys: []string{"auth-keepalive-timeout"}, annotations: at("/200", "auth-keepalive", "4", "auth-keepalive-timeout", "0"), probes: []probe{counted(&dials, "/", 6, 6)}},
		proof{keys: []string{"auth-cache-key"}, annotations: at("/200", "auth-cache-key", "$http_cookie"), probes: []probe{counted(&asks, "/", 1, 1)}},
		proof{keys: []string{"auth-cache-duration"}, annotations: at("/x", "auth-cache-key", "$remote_addr", "auth-cache-duration", "403 1m"), probes: []probe{
			wants("200", "", "web"), wants("403", "", "403"),
			wants("200", "", "403"),
		}},
		// Another Ingress's answers are its own.
		proof{annotations: at("/x", "auth-cache-key", "same"), probes: []probe{
			wants("200", "", "web"), wants("403", "", "web"),
		}},
		proof{annotations: at("/x", "auth-cache-key", "same"), probes: []probe{
			wants("403", "", "403"),
		}},
		// An answer with a cookie is for one client.
		proof{annotations: at("/x?cookie", "auth-cache-key", "same"), probes: []probe{
			wants("200", "", "web"), wants("401", "", "401"),
		}},
		// Whoever has another key is asked about.
		proof{annotations: at("/x", "auth-cache-key", "$cookie_a"), probes: []probe{
			wants("200", "a=1", "web"), wants("403", "a=2", "403"),
		}},
	)}
}

// ownFrom asks from this machine's loopback, which is let in, and from another
// address of it, which is not.
var ownFrom = []probe{gets("/", "web"), {"from another address", func(c client) string {
	return short(c.do(cluster.Request{URL: "http://HOST/", Address: c.site.address(1)}))
}, "403"}}

// ownAuth is a path of the host where nothing is asked, at an endpoint of which
// there is none.
const ownAuth = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME-ask, namespace: default, annotations: {nginx.ingress.kubernetes.io/denylist-source-range: 127.0.0.1}}
spec:
  rules: [{host: HOST, http: {paths: [{pathType: Prefix, path: /ask, backend: {service: {name: web, port: {number: 80}}}}]}}]
`
