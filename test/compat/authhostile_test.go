package compat

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// judgeObjects start a server that lets in by what it is told of a request: by
// its host, its path, or two headers of the client's. /early says something
// before its answer, and /endless does not end.
func judgeObjects(t *testing.T, _ *site) string {
	judge := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, status := r.Header.Get("X-Original-URL"), 200
		switch way, _, _ := strings.Cut(r.URL.Path[1:], "/"); {
		case way == "early":
			w.WriteHeader(http.StatusEarlyHints)
		case way == "no", way == "byhost" && !strings.HasPrefix(asked, "http://allowed.example.org/"), way == "bypath" && !strings.HasSuffix(asked, "/public"),
			way == "bykey" && r.Header.Get("A")+"|"+r.Header.Get("B") != "a|b":
			status = 403
		}
		w.WriteHeader(status)
		for chunk := make([]byte, 1<<16); r.URL.Path == "/endless"; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	serveOn(t, "10.244.99.30:8080", &http.Server{Handler: judge})
	return service("judge", "10.244.99.30") + "---\n" + authObjects(t, nil)
}

// sends asks with headers.
func sends(header http.Header, want string) probe {
	return probe{fmt.Sprint(header), func(c client) string {
		return short(c.do(cluster.Request{URL: "http://HOST/", Header: header}))
	}, want}
}

// named is a request for the host whose Host header is of another one.
func named(other, want string) probe {
	return probe{"a request line's host beside " + other, func(c client) string {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.site.HTTP))
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET http://%s/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", c.host, other)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			return err.Error()
		}
		return strings.Fields(line)[1]
	}, want}
}

// seenAs wants no header at the endpoint that it may take for X-Auth-User.
func seenAs(sent string) probe {
	return probe{sent, func(c client) string {
		r := c.do(cluster.Request{URL: "http://HOST/", Header: http.Header{sent: {"root"}}})
		if r.Seen == nil {
			return fmt.Sprint(r.Status)
		}
		for name := range r.Seen.Header {
			if strings.EqualFold(strings.ReplaceAll(name, "_", "-"), "X-Auth-User") {
				return name
			}
		}
		return "none"
	}, "none"}
}

// hostileAuthGroup has clients that want in by what they say of themselves.
func hostileAuthGroup() group {
	const judge = "http://10.244.99.30:8080/"
	right := http.Header{"Authorization": {"Basic am9lOnNlY3JldA=="}}
	asks := func(url string, more ...string) map[string]string {
		all := map[string]string{"auth-url": url}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	digest := []string{"satisfy", "any", "auth-type", "digest", "auth-secret", "digest", "auth-realm", "our realm"}
	return group{name: "hostileauth", objects: judgeObjects, settings: map[string]string{"enable-underscores-in-headers": "true"}, cases: []proof{
		// The server is told of the host that is served, not of another that the client names too.
		{annotations: asks(judge + "byhost"), probes: []probe{gets("/", "403"), named("allowed.example.org", "403")}},
		{annotations: asks(judge, "auth-response-headers", "X-Auth-User"), probes: []probe{
			seenAs("X-Auth-User"), seenAs("X_Auth_User"), seenAs("X-Auth_User"), seenAs("X_Auth-User"),
		}},
		// Either is enough.
		{annotations: asks(judge, digest...), probes: []probe{gets("/", "web")}},
		{annotations: asks(judge+"no", digest...), probes: []probe{gets("/", "401"), digests("beside a no", digestOf{}, "web"), digests("wrong, beside a no", digestOf{password: "x"}, "401")}},
		{annotations: asks(judge+"no", "satisfy", "any", "auth-type", "basic", "auth-secret", "basic"), probes: []probe{gets("/", "401"), sends(right, "web")}},
		// What let a client in is remembered for that path, and that client.
		{annotations: asks(judge+"bypath", "auth-cache-key", "$http_authorization"), paths: []string{"Prefix /public", "Prefix /admin"}, probes: []probe{gets("/public", "web"), gets("/admin", "403")}},
		{annotations: asks(judge+"bykey", "auth-cache-key", "$http_a$http_b"), probes: []probe{sends(http.Header{"A": {"a"}, "B": {"b"}}, "web"), sends(http.Header{"A": {"ab"}}, "403")}},
		{annotations: asks("http://$hostevil.example.org/x"), probes: []probe{gets("/", "503")}},
		{annotations: asks(judge + "early"), probes: []probe{gets("/", "web")}},
		{annotations: asks(judge+"endless", "auth-keepalive", "3"), probes: []probe{gets("/", "web")}},
		// A Service's name needs no DNS.
		{keys: []string{"auth-url"}, annotations: asks("http://judge.default.svc.cluster.local/no"), probes: []probe{gets("/", "403")}},
		{annotations: asks("http://judge.default.svc:81/"), probes: []probe{gets("/", "500")}},
	}}
}
