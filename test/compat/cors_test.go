package compat

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func corsGroup() group {
	on := func(more ...string) map[string]string {
		all := map[string]string{"enable-cors": "true"}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	some := on("cors-allow-origin", "https://*.example.org:8443, http://a.example.com")
	return group{
		name: "cors",
		objects: func(t *testing.T, g *site) string {
			cluster.Serve(t, http.HandlerFunc(permissive), g.address(10)+":8080")
			return service("permissive", g.address(10))
		},
		cases: []proof{
			{
				keys: []string{"enable-cors"}, annotations: on(), service: "permissive",
				probes: []probe{
					// All sites and credentials are never said together, whatever the backend says.
					cors("GET", "https://x.example.net", "200 * false Accept"), cors("OPTIONS", "https://x.example.net", "204 * false "),
					cors("GET", "", "200 * false Accept"),
				},
			}, {
				keys: []string{"cors-allow-origin"}, annotations: some,
				probes: []probe{
					cors("GET", "https://b.example.org:8443", "200 https://b.example.org:8443 true Origin"),
					cors("OPTIONS", "https://b.example.org:8443", "204 https://b.example.org:8443 true Origin"),
					cors("GET", "http://a.example.com", "200 http://a.example.com true Origin"),
					cors("GET", "https://b.example.org", "200  false Origin"),
					cors("GET", "https://b.c.example.org:8443", "200  false Origin"),
					cors("GET", "https://example.org:8443", "200  false Origin"),
					cors("GET", "https://.example.org:8443", "200  false Origin"),
					cors("GET", "xhttps://b.example.org:8443", "200  false Origin"),
					cors("GET", "https://b.example.org:8443.evil.net", "200  false Origin"),
					cors("GET", "https://evil.net/.example.org:8443", "200  false Origin"),
					cors("GET", "http://evil-a.example.com", "200  false Origin"),
					cors("GET", "http://a-example.com", "200  false Origin"),
					cors("OPTIONS", "http://evil-a.example.com", "200  false Origin"),
				},
			}, {
				keys: []string{"cors-allow-credentials"}, annotations: with(some, "cors-allow-credentials", "false"),
				probes: []probe{cors("GET", "http://a.example.com", "200 http://a.example.com false Origin")},
			}, {
				keys: []string{"cors-allow-methods"}, annotations: on("cors-allow-methods", "GET,PURGE"),
				probes: []probe{preflight("Access-Control-Allow-Methods", "GET, PURGE")},
			}, {
				keys: []string{"cors-allow-headers"}, annotations: on("cors-allow-headers", "X-A, x-b"),
				probes: []probe{preflight("Access-Control-Allow-Headers", "X-A, x-b")},
			}, {
				keys: []string{"cors-expose-headers"}, annotations: on("cors-expose-headers", "*, X-A"),
				probes: []probe{preflight("Access-Control-Expose-Headers", "*, X-A")},
			}, {
				keys: []string{"cors-max-age"}, annotations: on("cors-max-age", "600"),
				probes: []probe{preflight("Access-Control-Max-Age", "600")},
			}, {
				// An error of ours says it too, and limits do not hold for a preflight.
				keys: []string{"enable-cors"}, annotations: with(on("limit-rpm", "1"), "limit-burst-multiplier", "1"),
				probes: []probe{
					cors("GET", "", "200 * false "), cors("GET", "", "200 * false "), cors("GET", "", "503 * false "), cors("OPTIONS", "", "204 * false "),
				},
			},
		},
	}
}

// permissive is a backend with CORS headers of its own.
func permissive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "https://anybody.example.net")
	w.Header().Set("Access-Control-Allow-Credentials", "true")
	w.Header().Set("Vary", "Accept")
}

// cors wants the status, the allowed origin, whether credentials are, and Vary.
func cors(method, origin, want string) probe {
	return probe{method + " from " + origin, func(c client) string {
		q := cluster.Request{Method: method, URL: "http://HOST/"}
		if origin != "" {
			q.Header = http.Header{"Origin": {origin}}
		}
		r := c.do(q)
		return fmt.Sprintf("%d %s %t %s", r.Status, strings.Join(r.Header.Values("Access-Control-Allow-Origin"), "|"),
			r.Header.Get("Access-Control-Allow-Credentials") != "", strings.Join(r.Header.Values("Vary"), "|"))
	}, want}
}

func preflight(header, want string) probe {
	return probe{header, func(c client) string {
		return c.do(cluster.Request{Method: "OPTIONS", URL: "http://HOST/", Header: http.Header{"Origin": {"http://a.example.com"}}}).Header.Get(header)
	}, want}
}
