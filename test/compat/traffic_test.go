package compat

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// shares says who answered some requests with a header or cookie, each name
// once.
func shares(n int, header http.Header) func(c client) string {
	return func(c client) string {
		seen := map[string]bool{}
		for range n {
			seen[short(c.do(cluster.Request{URL: "http://HOST/", Header: header}))] = true
		}
		switch {
		case seen["web"] && seen["other"]:
			return "both"
		case seen["web"]:
			return "web"
		case seen["other"]:
			return "other"
		}
		return fmt.Sprint(seen)
	}
}

// often is how many requests show a share of a half, and of a third, but for
// once in 10^11.
const often = 64

// fifth says whether about a fifth of 1,000 requests go to the canary. Of a true
// fifth, less than one in 10^10 such counts is beyond 110 to 295.
func fifth(c client) string {
	count := 0
	for range 1000 {
		if short(c.get("/")) == "other" {
			count++
		}
	}
	return fmt.Sprint(count >= 110 && count <= 295)
}

func withHeader(name, value string) http.Header { return http.Header{name: {value}} }

func canaryGroup() group {
	// The Ingress of the case is the canary, of the Service other; what it is one
	// of comes with it.
	main := `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME-main, namespace: default}
spec:
  rules:
  - host: HOST
    http: {paths: [{pathType: Prefix, path: /, backend: {service: {name: web, port: {number: 80}}}}]}
`
	canary := func(more ...string) map[string]string {
		all := map[string]string{"canary": "true"}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	ask := func(what string, header http.Header, want string) probe {
		return probe{what, shares(often, header), want}
	}
	cases := []proof{
		{
			keys: []string{"canary-weight"}, annotations: canary("canary-weight", "50"),
			probes: []probe{ask("by weight", nil, "both")},
		}, {
			keys: []string{"canary-weight"}, annotations: canary("canary-weight", "20"),
			probes: []probe{{"a fifth", fifth, "true"}},
		}, {
			keys: []string{"canary-weight-total"}, annotations: canary("canary-weight", "100", "canary-weight-total", "200"),
			probes: []probe{ask("by weight", nil, "both")},
		}, {
			keys: []string{"canary-by-header"}, annotations: canary("canary-by-header", "X-New", "canary-weight", "0"),
			probes: []probe{ask("always", withHeader("X-New", "always"), "other"), ask("never", withHeader("X-New", "never"), "web"), ask("what", withHeader("X-New", "what"), "web"), ask("none", nil, "web")},
		}, {
			keys: []string{"canary-by-header-value"}, annotations: canary("canary-by-header", "X-New", "canary-by-header-value", "yes", "canary-by-header-pattern", "no.*"),
			probes: []probe{ask("yes", withHeader("X-New", "yes"), "other"), ask("always", withHeader("X-New", "always"), "web"), ask("no", withHeader("X-New", "nope"), "web")},
		}, {
			keys: []string{"canary-by-header-pattern"}, annotations: canary("canary-by-header", "X-New", "canary-by-header-pattern", "^v[0-9]+$"),
			probes: []probe{ask("v12", withHeader("X-New", "v12"), "other"), ask("v", withHeader("X-New", "v"), "web")},
		}, {
			keys: []string{"canary-by-cookie"}, annotations: canary("canary-by-cookie", "new", "canary-weight", "100"),
			probes: []probe{ask("never", withHeader("Cookie", "new=never"), "web"), ask("always", withHeader("Cookie", "a=b; new=always"), "other"), ask("none", nil, "other")},
		}, {
			// Without it the case's Ingress is the older one of two with the path.
			keys: []string{"canary"}, annotations: canary("canary-weight", "0"), probes: []probe{ask("all", nil, "web")},
		},
	}
	for i := range cases {
		cases[i].service, cases[i].more = "other", main
	}
	// Here the case's Ingress is what the canary is one of.
	cases = append(cases, proof{
		keys: []string{"affinity-canary-behavior"}, annotations: map[string]string{"affinity": "cookie", "affinity-canary-behavior": "legacy"},
		more: strings.NewReplacer("NAME-main", "NAME-canary", "namespace: default}", "namespace: default, annotations: {"+prefix+"canary: \"true\", "+prefix+"canary-weight: \"50\"}}", "name: web", "name: other").Replace(main),
		probes: []probe{{"a client with a cookie", func(c client) string {
			jar, _, _ := strings.Cut(c.get("/").Header.Get("Set-Cookie"), ";")
			return shares(often, withHeader("Cookie", jar))(c)
		}, "both"}},
	})
	return group{name: "canary", cases: cases}
}

// A jar asks as a browser does, n times, and says which endpoints answered.
func jarred(n int, agent string) func(c client) string {
	return func(c client) string {
		jar := ""
		seen := map[string]bool{}
		for range n {
			h := http.Header{}
			if jar != "" {
				h.Set("Cookie", jar)
			}
			if agent != "" {
				h.Set("User-Agent", agent)
			}
			r := c.do(cluster.Request{URL: "http://HOST/shop", Header: h})
			if set := r.Header.Get("Set-Cookie"); set != "" {
				jar, _, _ = strings.Cut(set, ";")
			}
			if r.Seen != nil {
				seen[r.Seen.Local] = true
			}
		}
		return fmt.Sprintf("%d endpoints", len(seen))
	}
}

// attributes are what the first response's cookie says beside its value.
func attributes(agent string) func(c client) string {
	return func(c client) string {
		h := http.Header{}
		if agent != "" {
			h.Set("User-Agent", agent)
		}
		r := c.do(cluster.Request{URL: "http://HOST/shop", Header: h})
		set := r.Header.Get("Set-Cookie")
		name, rest, _ := strings.Cut(set, "=")
		_, rest, _ = strings.Cut(rest, ";")
		var kept []string
		for part := range strings.SplitSeq(rest, ";") {
			part = strings.TrimSpace(part)
			if strings.HasPrefix(part, "Expires=") {
				part = "Expires"
			}
			kept = append(kept, part)
		}
		return name + ": " + strings.Join(kept, ", ")
	}
}

func trafficGroup() group {
	sticky := func(more ...string) map[string]string {
		all := map[string]string{"affinity": "cookie"}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	proofOf := func(key, value, want string) proof {
		return proof{
			keys: []string{key}, annotations: sticky(key, value), paths: []string{"Prefix /shop"}, service: "pool",
			probes: []probe{{"cookie", attributes(""), want}},
		}
	}
	const oldChrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/60.0.3112.90 Safari/537.36"
	const iOS12 = "Mozilla/5.0 (iPhone; CPU iPhone OS 12_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1"
	const mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Safari/605.1.15"
	return group{name: "traffic", cases: []proof{
		{
			keys: []string{"affinity"}, annotations: sticky(), paths: []string{"Prefix /shop"}, service: "pool",
			probes: []probe{{"jar", jarred(20, ""), "1 endpoints"}, {"cookie", attributes(""), "INGRESSCOOKIE: Path=/shop, HttpOnly"}},
		},
		proofOf("session-cookie-name", "route", "route: Path=/shop, HttpOnly"),
		proofOf("session-cookie-path", "/x", "INGRESSCOOKIE: Path=/x, HttpOnly"),
		proofOf("session-cookie-domain", "example.org", "INGRESSCOOKIE: Path=/shop, Domain=example.org, HttpOnly"),
		proofOf("session-cookie-expires", "3600", "INGRESSCOOKIE: Path=/shop, Expires, HttpOnly"),
		proofOf("session-cookie-max-age", "3600", "INGRESSCOOKIE: Path=/shop, Max-Age=3600, HttpOnly"),
		proofOf("session-cookie-samesite", "lax", "INGRESSCOOKIE: Path=/shop, HttpOnly, SameSite=Lax"),
		proofOf("session-cookie-secure", "true", "INGRESSCOOKIE: Path=/shop, Secure, HttpOnly"),
		{
			keys:        []string{"session-cookie-conditional-samesite-none"},
			annotations: sticky("session-cookie-samesite", "None", "session-cookie-conditional-samesite-none", "true"),
			paths:       []string{"Prefix /shop"}, service: "pool",
			probes: []probe{
				{"old", attributes(oldChrome), "INGRESSCOOKIE: Path=/shop, HttpOnly"},
				{"iOS 12", attributes(iOS12), "INGRESSCOOKIE: Path=/shop, HttpOnly"},
				{"iOS 13", attributes(strings.Replace(iOS12, "OS 12_4", "OS 13_4", 1)), "INGRESSCOOKIE: Path=/shop, HttpOnly, SameSite=None"},
				{"macOS 10.14", attributes(mac), "INGRESSCOOKIE: Path=/shop, HttpOnly"},
				{"macOS 10.15", attributes(strings.Replace(mac, "10_14", "10_15", 1)), "INGRESSCOOKIE: Path=/shop, HttpOnly, SameSite=None"},
				{"new", attributes("Mozilla/5.0"), "INGRESSCOOKIE: Path=/shop, HttpOnly, SameSite=None"},
				// What would keep a worker busy for minutes, were it matched by patterns.
				{"hostile", attributes(strings.Repeat("iP", 600) + strings.Repeat("; CPU ", 400) + strings.Repeat("OS 12", 600)), "INGRESSCOOKIE: Path=/shop, HttpOnly, SameSite=None"},
				{"hostile mac", attributes("Macintosh;" + strings.Repeat("Mac OS X 10_14", 200) + "AppleWebKit/" + strings.Repeat("Version/", 500)), "INGRESSCOOKIE: Path=/shop, HttpOnly, SameSite=None"},
			},
		}, {
			// The cookie of a persistent session tells the endpoint: all clients of
			// one endpoint have the same.
			keys: []string{"affinity-mode"}, annotations: sticky("affinity-mode", "persistent"), paths: []string{"Prefix /shop"}, service: "pool",
			probes: []probe{{"jar", jarred(20, ""), "1 endpoints"}, {"values", func(c client) string {
				values := map[string]bool{}
				for range 40 {
					values[c.get("/shop").Header.Get("Set-Cookie")] = true
				}
				return fmt.Sprint(len(values) <= 3)
			}, "true"}},
		}, {
			// One endpoint of two refuses. A persistent cookie tells the endpoint, so
			// no client may have that of the one that refuses.
			keys:        []string{"session-cookie-change-on-failure"},
			annotations: sticky("session-cookie-change-on-failure", "true", "affinity-mode", "persistent"),
			paths:       []string{"Prefix /shop"}, service: "half",
			probes: []probe{{"cookies", func(c client) string {
				values := map[string]bool{}
				for range 40 {
					values[c.get("/shop").Header.Get("Set-Cookie")] = true
				}
				return fmt.Sprint(len(values))
			}, "1"}},
		}, {
			// So it is in balanced mode: of many keys, those of the one that refuses are
			// replaced, once.
			keys:        []string{"session-cookie-change-on-failure"},
			annotations: sticky("session-cookie-change-on-failure", "true"),
			paths:       []string{"Prefix /shop"}, service: "half",
			probes: []probe{{"keys", replaced, "some, once"}},
		}, {
			keys: []string{"upstream-hash-by"}, annotations: map[string]string{"upstream-hash-by": "$request_uri"}, service: "pool",
			probes: []probe{{"one key", endpointsOf(30, func(int) string { return "/a" }), "1"}, {"many keys", endpointsOf(60, func(i int) string { return fmt.Sprintf("/%d", i) }), "3"}},
		}, {
			keys:        []string{"upstream-hash-by-subset", "upstream-hash-by-subset-size"},
			annotations: map[string]string{"upstream-hash-by": "$arg_k", "upstream-hash-by-subset": "true", "upstream-hash-by-subset-size": "2"}, service: "pool",
			probes: []probe{{"one key", endpointsOf(60, func(int) string { return "/?k=a" }), "2"}},
		}, {
			// The slow endpoint gets next to nothing.
			keys: []string{"load-balance"}, annotations: map[string]string{"load-balance": "ewma"}, service: "uneven",
			probes: []probe{{"slow", func(c client) string {
				slow := 0
				for range 40 {
					if c.get("/").Header.Get("X-Slow") != "" {
						slow++
					}
				}
				return fmt.Sprint(slow < 15)
			}, "true"}},
		}, {
			keys: []string{"service-upstream"}, annotations: map[string]string{"service-upstream": "true"}, service: "fronted",
			probes: []probe{gets("/", "front")},
		},
	}, objects: func(t *testing.T, s *site) string {
		pool := []string{s.address(10), s.address(11), s.address(12)}
		for _, a := range pool {
			cluster.Echo(t, "pool", a+":8080")
		}
		cluster.Echo(t, "half", s.address(13)+":8080")
		cluster.Echo(t, "front", s.address(15)+":80")
		cluster.Echo(t, "behind", s.address(16)+":8080")
		cluster.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}), s.address(17)+":8080")
		cluster.Serve(t, slow{}, s.address(18)+":8080")
		fronted := strings.Replace(service("fronted", s.address(16)), "spec: {ports", "spec: {clusterIP: "+s.address(15)+", ports", 1)
		return strings.Join([]string{
			service("pool", pool...), service("half", s.address(13), s.address(14)), fronted, service("uneven", s.address(17), s.address(18)),
		}, "---\n")
	}}
}

// replaced says which of many keys a client gets another one for, and whether
// that one stays.
func replaced(c client) string {
	ask := func(cookie string) string {
		set := c.do(cluster.Request{URL: "http://HOST/shop", Header: withHeader("Cookie", cookie)}).Header.Get("Set-Cookie")
		cookie, _, _ = strings.Cut(set, ";")
		return cookie
	}
	_, tag, _ := strings.Cut(ask("a=b"), "|")
	times := 0
	for i := range 40 {
		if other := ask(fmt.Sprintf("INGRESSCOOKIE=key%d|%s", i, tag)); other != "" {
			times++
			if again := ask(other); again != "" {
				return "some, and again"
			}
		}
	}
	if times == 0 || times == 40 {
		return fmt.Sprint(times, " of 40")
	}
	return "some, once"
}

// endpointsOf says how many endpoints answered n requests.
func endpointsOf(n int, path func(i int) string) func(c client) string {
	return func(c client) string {
		seen := map[string]bool{}
		for i := range n {
			if r := c.get(path(i)); r.Seen != nil {
				seen[r.Seen.Local] = true
			}
		}
		return fmt.Sprint(len(seen))
	}
}

// A slow backend takes a tenth of a second, for which a busy machine does not
// make up.
type slow struct{}

func (slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Slow", "1")
	select {
	case <-time.After(100 * time.Millisecond):
	case <-r.Context().Done():
	}
}
