package compat

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// answers is a backend that does what the path says.
func answers(w http.ResponseWriter, r *http.Request) {
	word, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch word {
	case "status":
		code, _ := strconv.Atoi(rest)
		w.WriteHeader(code)
		fmt.Fprint(w, "own page")
	case "header":
		n, _ := strconv.Atoi(rest)
		w.Header().Set("X-Long", strings.Repeat("a", n))
	case "slow":
		select {
		case <-time.After(3 * time.Second):
		case <-r.Context().Done():
		}
	case "moved":
		w.Header().Set("Location", "http://web.internal/x")
		w.WriteHeader(http.StatusFound)
	case "large":
		_, _ = w.Write(make([]byte, 1<<20))
	case "cookie":
		w.Header().Set("Set-Cookie", "a=b; Path=/app/x; Domain=web.internal")
	}
}

// pages writes a page of errors; what it is asked, it says in a header.
func pages(w http.ResponseWriter, r *http.Request) {
	h := r.Header
	w.Header().Set("X-Told", strings.Join([]string{r.Method, r.RequestURI, h.Get("X-Code"), h.Get("X-Format"), h.Get("X-Original-Uri"), h.Get("X-Namespace"),
		h.Get("X-Service-Name"), h.Get("X-Service-Port"), fmt.Sprint(h.Get("X-Ingress-Name") != ""), fmt.Sprint(h.Get("X-Request-Id") != "")}, " "))
	if h.Get("X-Code") == "404" {
		w.WriteHeader(410)
	}
}

func told(path, want string) probe {
	return probe{"told " + path, func(c client) string {
		r := c.do(cluster.Request{URL: "http://HOST" + path, Header: http.Header{"Accept": {"text/html"}}})
		return fmt.Sprintf("%d %s", r.Status, r.Header.Get("X-Told"))
	}, want}
}

func proxyoptsGroup() group {
	ann := func(kv ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	seen := func(path string, f func(cluster.Response) string, want string) probe {
		return probe{path, func(c client) string { return f(c.get(path)) }, want}
	}
	return group{name: "proxyopts", settings: map[string]string{"global-allowed-response-headers": "X-More"},
		objects: func(t *testing.T, g *site) string {
			cluster.Serve(t, http.HandlerFunc(answers), g.address(10)+":8080")
			cluster.Serve(t, http.HandlerFunc(pages), g.address(11)+":8080")
			return service("answers", g.address(10)) + "---\n" + service("pages", g.address(11)) + "---\n" + service("nobody") +
				"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: more, namespace: default}\ndata: {X-More: \"a $host\", X-Evil: x}\n"
		},
		cases: []proof{
			{service: "answers", keys: []string{"custom-http-errors", "default-backend"}, annotations: ann("custom-http-errors", "404,401,500", "default-backend", "pages"),
				probes: []probe{
					told("/status/404?q=1", "410 GET /?q=1 404 text/html /status/404?q=1 default answers 80 true true"),
					told("/status/500", "200 GET / 500 text/html /status/500 default answers 80 true true"),
					told("/status/401", "401 GET / 401 text/html /status/401 default answers 80 true true"),
					told("/status/403", "403 "),
				}},
			{service: "answers", keys: []string{"disable-proxy-intercept-errors"},
				annotations: ann("custom-http-errors", "404,413", "default-backend", "pages", "disable-proxy-intercept-errors", "true"),
				probes:      []probe{told("/status/404", "404 ")}},
			{service: "nobody", keys: []string{"default-backend"}, annotations: ann("default-backend", "pages"),
				probes: []probe{told("/x", "200 GET / 503 text/html /x default nobody 80 true true")}},
			{service: "answers", keys: []string{"custom-headers"}, annotations: ann("custom-headers", "more"),
				probes: []probe{seen("/x", func(r cluster.Response) string { return r.Header.Get("X-More") + "|" + r.Header.Get("X-Evil") }, "a $host|")}},
			{keys: []string{"upstream-vhost"}, annotations: ann("upstream-vhost", "$service_name.$namespace.svc"),
				probes: []probe{seen("/x", func(r cluster.Response) string { return r.Seen.Host + " " + r.Seen.Header.Get("X-Forwarded-Host") }, "web.default.svc HOST")}},
			{keys: []string{"connection-proxy-header"}, annotations: ann("connection-proxy-header", "Keep-Alive"),
				probes: []probe{seen("/x", func(r cluster.Response) string { return r.Seen.Header.Get("Connection") }, "keep-alive")}},
			{keys: []string{"http2-push-preload"}, annotations: ann("http2-push-preload", "true"),
				probes: []probe{{"log", func(c client) string {
					name := strings.TrimSuffix(c.host, ".example.org")
					for line := range strings.Lines(c.site.Log()) {
						if strings.Contains(line, "default/"+name) && strings.Contains(line, "http2-push-preload") && strings.Contains(line, "no effect") {
							return "told"
						}
					}
					return ""
				}, "told"}}},
			{keys: []string{"enable-rewrite-log"}, annotations: ann("enable-rewrite-log", "true"),
				probes: []probe{{"log", func(c client) string {
					path := "/rewritelog-" + c.host
					c.get(path)
					return fmt.Sprint(strings.Contains(c.site.Log(), path+" is not rewritten"))
				}, "true"}}},
			{keys: []string{"enable-access-log"}, annotations: ann("enable-access-log", "false"),
				probes: []probe{{"log", func(c client) string {
					path := "/accesslog-" + c.host
					c.get(path)
					// The line of a later request that is logged comes after this one's.
					other := client{c.t, c.site, hostOf(0, "")}
					other.get("/mark-" + c.host)
					cluster.Eventually(c.t, "the later request's line", func() error {
						if !strings.Contains(c.site.AccessLog(), "/mark-"+c.host) {
							return fmt.Errorf("not there")
						}
						return nil
					})
					return fmt.Sprint(strings.Contains(c.site.AccessLog(), path))
				}, "false"}}},
			{service: "answers", keys: []string{"proxy-cookie-domain", "proxy-cookie-path"},
				annotations: ann("proxy-cookie-domain", "web.internal $host", "proxy-cookie-path", "/app/ /"),
				probes:      []probe{seen("/cookie", func(r cluster.Response) string { return r.Header.Get("Set-Cookie") }, "a=b; Path=/x; Domain=HOST")}},
			{keys: []string{"proxy-http-version"}, annotations: ann("proxy-http-version", "1.0"),
				probes: []probe{seen("/x", func(r cluster.Response) string { return r.Seen.Proto }, "HTTP/1.0")}},
			{service: "answers", keys: []string{"proxy-buffer-size"}, annotations: ann("proxy-buffer-size", "16k"),
				probes: []probe{seen("/header/8000", func(r cluster.Response) string { return fmt.Sprint(r.Status) }, "200")}},
			{service: "answers", keys: []string{"proxy-busy-buffers-size"}, annotations: ann("proxy-buffering", "on", "proxy-buffer-size", "4k", "proxy-buffers-number", "8", "proxy-max-temp-file-size", "0", "proxy-busy-buffers-size", "4k"),
				probes: []probe{{"frames", frames, "one buffer"}}},
			{service: "answers", keys: []string{"proxy-read-timeout"}, annotations: ann("proxy-read-timeout", "1", "proxy-next-upstream", "off"),
				probes: []probe{seen("/slow", func(r cluster.Response) string { return fmt.Sprint(r.Status) }, "504")}},
			{keys: []string{"proxy-body-size"}, annotations: ann("proxy-body-size", "1k"),
				probes: []probe{{"post", func(c client) string {
					return fmt.Sprint(c.do(cluster.Request{Method: "POST", URL: "http://HOST/", Body: strings.Repeat("a", 2048)}).Status)
				}, "413"}}},
		}}
}
