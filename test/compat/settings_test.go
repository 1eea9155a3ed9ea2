package compat

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// The ConfigMap's keys of an annotation's name are what holds without it: each is
// shown by a host that has no annotation, and by one whose annotation says
// otherwise, which ends differently where it lacks that.

// byDefault is a case without annotations.
func byDefault(service string, probes ...probe) proof {
	return proof{service: service, probes: probes}
}

// over is a case whose annotation stands in the ConfigMap's place.
func over(key, value, service string, probes ...probe) proof {
	return proof{keys: []string{key}, annotations: map[string]string{key: value}, service: service, probes: probes}
}

func settingsGroup() group {
	says := func(path string, f func(cluster.Response) string, want string) probe {
		return probe{path, func(c client) string { return f(c.get(path)) }, want}
	}
	status := func(r cluster.Response) string { return fmt.Sprint(r.Status) }
	cookie := func(r cluster.Response) string { return r.Header.Get("Set-Cookie") }
	proto := func(r cluster.Response) string { return r.Seen.Proto }
	post := func(want string) probe {
		return probe{"post", func(c client) string {
			return status(c.do(cluster.Request{Method: "POST", URL: "http://HOST/", Body: strings.Repeat("a", 2048)}))
		}, want}
	}
	pace := func(want string) probe { return probe{"slow", slowOnes, want} }
	settings := map[string]string{
		"load-balance": "ewma", "service-upstream": "true", "custom-http-errors": "404", "proxy-body-size": "1k", "proxy-read-timeout": "1",
		"proxy-next-upstream": "off", "proxy-buffer-size": "16k", "proxy-http-version": "1.0", "proxy-cookie-domain": "web.internal $host",
		"proxy-cookie-path": "/app/ /", "proxy-redirect-from": "http://web.internal/", "proxy-redirect-to": "/to/",
	}
	return group{name: "settings", settings: settings, flags: []string{"--default-backend-service=default/pages"}, cases: []proof{
		byDefault("uneven", pace("few")), over("load-balance", "round_robin", "uneven", pace("many")),
		byDefault("fronted", gets("/", "front")), over("service-upstream", "false", "fronted", gets("/", "behind")),
		byDefault("answers", told("/status/404", "410 GET / 404 text/html /status/404 default answers 80 true true"), told("/status/500", "500 ")),
		over("custom-http-errors", "500", "answers", told("/status/404", "404 "), told("/status/500", "200 GET / 500 text/html /status/500 default answers 80 true true")),
		byDefault("", post("413")), over("proxy-body-size", "1m", "", post("200")),
		byDefault("answers", says("/slow", status, "504")), over("proxy-read-timeout", "60", "answers", says("/slow", status, "200")),
		byDefault("half", probe{"failures", failures, "some"}), over("proxy-next-upstream", "error", "half", probe{"failures", failures, "none"}),
		byDefault("answers", says("/header/8000", status, "200")), over("proxy-buffer-size", "4k", "answers", says("/header/8000", status, "502")),
		byDefault("", says("/", proto, "HTTP/1.0")), over("proxy-http-version", "1.1", "", says("/", proto, "HTTP/1.1")),
		byDefault("answers", says("/cookie", cookie, "a=b; Path=/x; Domain=HOST")),
		over("proxy-cookie-domain", "off", "answers", says("/cookie", cookie, "a=b; Path=/x; Domain=web.internal")),
		over("proxy-cookie-path", "off", "answers", says("/cookie", cookie, "a=b; Path=/app/x; Domain=HOST")),
		byDefault("answers", gets("/moved", "302 http://HOST/to/x")), over("proxy-redirect-from", "off", "answers", gets("/moved", "302 http://web.internal/x")),
		over("proxy-redirect-to", "/other/", "answers", gets("/moved", "302 http://HOST/other/x")),
	}, objects: func(t *testing.T, s *site) string {
		cluster.Serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), s.address(10)+":8080")
		cluster.Serve(t, slow{}, s.address(11)+":8080")
		cluster.Echo(t, "front", s.address(12)+":80")
		cluster.Echo(t, "behind", s.address(13)+":8080")
		cluster.Serve(t, http.HandlerFunc(answers), s.address(14)+":8080")
		cluster.Serve(t, http.HandlerFunc(pages), s.address(15)+":8080")
		cluster.Echo(t, "half", s.address(16)+":8080")
		fronted := strings.Replace(service("fronted", s.address(13)), "spec: {ports", "spec: {clusterIP: "+s.address(12)+", ports", 1)
		return strings.Join([]string{
			service("uneven", s.address(10), s.address(11)), fronted, service("answers", s.address(14)), service("pages", s.address(15)),
			service("half", s.address(16), s.address(17)),
		}, "---\n")
	}}
}

// failures says whether some of 20 requests failed.
func failures(c client) string {
	for range 20 {
		if c.get("/").Status != http.StatusOK {
			return "some"
		}
	}
	return "none"
}

func settingsHashGroup() group {
	one := probe{"one key", endpointsOf(60, func(i int) string { return fmt.Sprintf("/%d?k=a", i) }), "2"}
	becomes := func(want string) probe { return probe{one.what, one.ask, want} }
	settings := map[string]string{"upstream-hash-by": "$arg_k", "upstream-hash-by-subset": "true", "upstream-hash-by-subset-size": "2"}
	return group{name: "settings for hashing", settings: settings, cases: []proof{
		byDefault("pool", one), over("upstream-hash-by", "$uri", "pool", becomes("3")),
		over("upstream-hash-by-subset", "false", "pool", becomes("1")), over("upstream-hash-by-subset-size", "1", "pool", becomes("1")),
	}, objects: func(t *testing.T, s *site) string {
		pool := []string{s.address(10), s.address(11), s.address(12)}
		for _, a := range pool {
			cluster.Echo(t, "pool", a+":8080")
		}
		return service("pool", pool...)
	}}
}

// The ConfigMap's lists: those of an annotation stand in their place.
func settingsAccessGroup() group {
	settings := map[string]string{"whitelist-source-range": "203.0.113.7"}
	return group{name: "settings for access", settings: settings, cases: []proof{
		byDefault("", gets("/", "403")),
		over("whitelist-source-range", "127.0.0.1", "", gets("/", "web")), over("allowlist-source-range", "127.0.0.1", "", gets("/", "web")),
	}}
}

func settingsDenyGroup() group {
	settings := map[string]string{"denylist-source-range": "127.0.0.1"}
	return group{name: "settings for refusing", settings: settings, cases: []proof{
		byDefault("", gets("/", "403")), over("denylist-source-range", "203.0.113.7", "", gets("/", "web")),
	}}
}
