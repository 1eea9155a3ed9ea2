package compat

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// canaryOwnGroup is what a canary has of its own: how its endpoints are chosen.
// The Ingress of each case is the canary, which gets all requests unless it says
// otherwise; what it is one of has one endpoint, web.
func canaryOwnGroup() group {
	main := func(annotations string) string {
		return `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME-main, namespace: default, annotations: {` + annotations + `}}
spec:
  rules:
  - host: HOST
    http: {paths: [{pathType: Prefix, path: /, backend: {service: {name: web, port: {number: 80}}}}]}
`
	}
	plain, sticky, hashed := main(""), main(prefix+"affinity: cookie"), main(prefix+`upstream-hash-by: "$request_uri"`)
	canary := func(more ...string) map[string]string {
		all := map[string]string{"canary": "true", "canary-weight": "100"}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	return group{name: "canary's own", cases: []proof{
		{
			keys: []string{"upstream-hash-by"}, annotations: canary("upstream-hash-by", "$request_uri"), service: "pool", more: plain,
			probes: []probe{{"one key", endpointsOf(30, func(int) string { return "/a" }), "1"}, {"many keys", endpointsOf(60, func(i int) string { return fmt.Sprintf("/%d", i) }), "3"}},
		}, {
			// The key of the other Ingress does not hold for it.
			annotations: canary(), service: "pool", more: hashed,
			probes: []probe{{"one key", endpointsOf(30, func(int) string { return "/a" }), "3"}},
		}, {
			keys:        []string{"upstream-hash-by-subset"},
			annotations: canary("upstream-hash-by", "$arg_k", "upstream-hash-by-subset", "true", "upstream-hash-by-subset-size", "2"), service: "pool", more: plain,
			probes: []probe{{"one key", endpointsOf(60, func(int) string { return "/?k=a" }), "2"}},
		}, {
			// The slow endpoint gets next to nothing.
			keys: []string{"load-balance"}, annotations: canary("load-balance", "ewma"), service: "uneven", more: plain,
			probes: []probe{{"slow", slowOnes, "few"}},
		}, {
			// A client that came to the canary stays there, with its endpoint.
			keys: []string{"affinity"}, annotations: canary("affinity", "cookie", "canary-weight", "50"), service: "pool", more: plain,
			probes: []probe{{"jar", stays, "one endpoint"}},
		}, {
			// The cookie of the Ingress beside it is the canary's too.
			annotations: canary("canary-weight", "50"), service: "pool", more: sticky,
			probes: []probe{{"jar", stays, "one endpoint"}},
		}, {
			keys:        []string{"affinity-canary-behavior"},
			annotations: canary("canary-weight", "50", "affinity", "cookie", "session-cookie-name", "next", "affinity-canary-behavior", "legacy"), service: "pool", more: sticky,
			probes: []probe{{"jar", twoCookies, "2 endpoints"}},
		},
	}, objects: func(t *testing.T, s *site) string {
		pool := []string{s.address(10), s.address(11), s.address(12)}
		for _, a := range pool {
			cluster.Echo(t, "pool", a+":8080")
		}
		cluster.Serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), s.address(13)+":8080")
		cluster.Serve(t, slow{}, s.address(14)+":8080")
		return service("pool", pool...) + "---\n" + service("uneven", s.address(13), s.address(14))
	}}
}

// slowOnes says whether few of 40 requests went to the slow endpoint.
func slowOnes(c client) string {
	slow := 0
	for range 40 {
		if c.get("/").Header.Get("X-Slow") != "" {
			slow++
		}
	}
	if slow < 15 {
		return "few"
	}
	return "many"
}

// stays asks as a browser does, from when the canary has answered on: half of
// the requests are its.
func stays(c client) string {
	jar := ""
	for range often {
		r := c.get("/shop")
		if r.Seen != nil && r.Seen.Backend == "pool" {
			jar, _, _ = strings.Cut(r.Header.Get("Set-Cookie"), ";")
			break
		}
	}
	seen := map[string]bool{}
	for range often {
		r := c.do(cluster.Request{URL: "http://HOST/shop", Header: withHeader("Cookie", jar)})
		if r.Seen != nil {
			seen[r.Seen.Local] = true
		}
	}
	if len(seen) == 1 {
		return "one endpoint"
	}
	return fmt.Sprint(len(seen))
}

// twoCookies asks as a browser does that is given a cookie by each of two
// backends.
func twoCookies(c client) string {
	jar, seen := map[string]string{}, map[string]bool{}
	for range often {
		var all []string
		for name, value := range jar {
			all = append(all, name+"="+value)
		}
		h := http.Header{}
		if len(all) > 0 {
			h.Set("Cookie", strings.Join(all, "; "))
		}
		r := c.do(cluster.Request{URL: "http://HOST/shop", Header: h})
		if set := r.Header.Get("Set-Cookie"); set != "" {
			cookie, _, _ := strings.Cut(set, ";")
			name, value, _ := strings.Cut(cookie, "=")
			jar[name] = value
		}
		if r.Seen != nil {
			seen[r.Seen.Local] = true
		}
	}
	return fmt.Sprintf("%d endpoints", len(seen))
}
