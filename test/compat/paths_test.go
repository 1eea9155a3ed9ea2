package compat

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// asked is the path that the backend was asked for.
func asked(path, want string) probe {
	return probe{path, func(c client) string {
		r := c.get(path)
		if r.Seen == nil {
			return short(r)
		}
		return r.Seen.URI
	}, want}
}

// seesHeader is a header of the request as the backend got it.
func seesHeader(path, header, want string) probe {
	return probe{path + " " + header, func(c client) string {
		r := c.get(path)
		if r.Seen == nil {
			return short(r)
		}
		return fmt.Sprint(r.Seen.Header[header])
	}, want}
}

func pathsGroup() group {
	return group{name: "paths", cases: []proof{
		{
			keys: []string{"use-regex"}, annotations: map[string]string{"use-regex": "true"},
			paths:  []string{"ImplementationSpecific /v[0-9]+/x", "Exact /only"},
			probes: []probe{gets("/v12/x", "web"), gets("/V1/XYZ", "web"), gets("/v/x", "404"), gets("/ONLY/below", "web")},
		}, {
			keys: []string{"rewrite-target", "x-forwarded-prefix"}, annotations: map[string]string{"rewrite-target": "/$2?from=$1", "x-forwarded-prefix": "/pre/$1"},
			paths: []string{"ImplementationSpecific /(api|old)(?:/|$)(.*)"},
			probes: []probe{
				asked("/api/a/b", "/a/b?from=api"), asked("/old", "/?from=old"), asked("/OLD/x?y=1", "/x?from=OLD&y=1"), gets("/other", "404"),
				asked("/api/a%20b%2Fc%25d", "/a%20b/c%25d?from=api"), asked("/api//x/../y", "/y?from=api"),
				seesHeader("/old/x", "X-Forwarded-Prefix", "[/pre/old]"),
			},
		}, {
			// The rewriting of one Ingress makes the paths of its host expressions.
			keys: []string{"rewrite-target"}, annotations: map[string]string{"rewrite-target": "/"}, paths: []string{"Prefix /foo"},
			probes: []probe{asked("/foo", "/"), asked("/foo/bar", "/"), asked("/FOObar", "/"), gets("/", "404")},
		}, {
			keys:        []string{"sallyport.io/regex-scope", "use-regex"},
			annotations: map[string]string{"sallyport.io/regex-scope": "path", "use-regex": "true"}, paths: []string{"ImplementationSpecific /a[0-9]"},
			more:   other("/plain"),
			probes: []probe{gets("/a1", "web"), gets("/A2b", "web"), gets("/plain", "other"), gets("/PLAIN", "404"), gets("/plainer", "404")},
		}, {
			// What another Ingress says of a path below stays as it is.
			keys: []string{"sallyport.io/regex-scope"},
			annotations: map[string]string{
				"sallyport.io/regex-scope": "path", "rewrite-target": "/r/$1", "use-regex": "true",
			}, paths: []string{"ImplementationSpecific /(.*)"},
			more:   other("/plain"),
			probes: []probe{asked("/x", "/r/x"), gets("/plain/x", "other"), gets("/plain", "other"), gets("/plainer", "web"), gets("/PLAIN/x", "web")},
		}, {
			keys: []string{"app-root"}, annotations: map[string]string{"app-root": "/start?x=1"}, tls: true,
			probes: []probe{gets("/", "302 http://HOST/start?x=1"), gets("/x", "308 https://HOST/x"), {"another Host", otherHost, "http://HOST/start?x=1"}},
		}, {
			keys: []string{"app-root"}, annotations: map[string]string{"app-root": "/start", "use-regex": "true"}, paths: []string{"ImplementationSpecific /(.*)"},
			probes: []probe{gets("/", "302 http://HOST/start"), gets("/x", "web")},
		}, {
			// The path of ACME is not redirected, be it an expression by its neighbour.
			keys: []string{"use-regex"}, annotations: map[string]string{"use-regex": "true"}, tls: true, paths: []string{"ImplementationSpecific /v[0-9]+"},
			more:   other("/.well-known/acme-challenge/t"),
			probes: []probe{gets("/.well-known/acme-challenge/t", "other"), gets("/.WELL-KNOWN/acme-challenge/t", "other"), gets("/v1", "308 https://HOST/v1")},
		}, {
			keys: []string{"rewrite-target"}, annotations: map[string]string{"rewrite-target": "/q?$1"}, paths: []string{"ImplementationSpecific /(.*)"},
			probes: []probe{asked("/a=b/c", "/q?a=b/c"), asked("/a%26b%3Fc%23d%2525?e", "/q?a%26b%3Fc%23d%2525&e")},
		}, {
			keys: []string{"permanent-redirect", "permanent-redirect-code"}, tls: true,
			annotations: map[string]string{"permanent-redirect": "https://new.example.org/base$request_uri", "permanent-redirect-code": "308"},
			probes:      []probe{gets("/x?y=%0d%0aZ", "308 https://new.example.org/base/x?y=%0d%0aZ")},
		}, {
			keys: []string{"temporal-redirect", "temporal-redirect-code"},
			annotations: map[string]string{
				"temporal-redirect": "http://t.example.org$uri", "temporal-redirect-code": "307", "permanent-redirect": "http://p.example.org",
			},
			probes: []probe{gets("/a%0d%0aSet-Cookie:x", "307 http://t.example.org/a%0D%0ASet-Cookie:x")},
		}, {
			keys: []string{"relative-redirects"}, annotations: map[string]string{"relative-redirects": "true"}, paths: []string{"Prefix /dir/"},
			probes: []probe{gets("/dir", "301 /dir/")},
		}, {
			keys: []string{"use-port-in-redirects"}, annotations: map[string]string{"use-port-in-redirects": "true"}, paths: []string{"Prefix /dir/"},
			probes: []probe{{"/dir", func(c client) string {
				return fmt.Sprint(short(c.get("/dir")) == fmt.Sprintf("301 http://%s:%d/dir/", c.host, c.site.HTTP))
			}, "true"}},
		}, {
			keys:        []string{"proxy-redirect-from", "proxy-redirect-to"},
			annotations: map[string]string{"proxy-redirect-from": "http://inside.example.org/", "proxy-redirect-to": "https://outside.example.org/"},
			service:     "mover",
			probes:      []probe{gets("/x", "302 https://outside.example.org/x")},
		}, {
			keys: []string{"server-alias"}, annotations: map[string]string{"server-alias": "Alias.HOST, ~^re[0-9]+\\.HOST$"},
			probes: []probe{{"aliases", func(c client) string {
				return short(c.do(cluster.Request{URL: "http://alias.HOST/"})) + " " + short(c.do(cluster.Request{URL: "http://re17.HOST/"})) +
					" " + short(c.do(cluster.Request{URL: "http://rex.HOST/"}))
			}, "web web 404"}},
		}, {
			keys: []string{"from-to-www-redirect"}, annotations: map[string]string{"from-to-www-redirect": "true"},
			probes: []probe{{"www", func(c client) string {
				r := c.do(cluster.Request{URL: "http://www.HOST/x/"})
				return fmt.Sprint(short(r) == fmt.Sprintf("308 http://%s:%d/x", c.host, c.site.HTTP))
			}, "true"}},
		}, {
			// The www name serves no page of its own, so none without its sibling's checks.
			keys:        []string{"from-to-www-redirect"},
			annotations: map[string]string{"from-to-www-redirect": "true", "denylist-source-range": "0.0.0.0/0"},
			probes: []probe{
				gets("/", "403"), {"www", func(c client) string { return fmt.Sprint(c.do(cluster.Request{URL: "http://www.HOST/"}).Status) }, "308"},
				{"www by another Host", func(c client) string {
					return fmt.Sprint(c.do(cluster.Request{URL: "http://www.HOST/", Host: "HOST"}).Status)
				}, "403"},
			},
		},
	}, objects: func(t *testing.T, s *site) string {
		cluster.Serve(t, mover{}, s.address(10)+":8080")
		return service("mover", s.address(10))
	}}
}

// otherHost is where a request is redirected to whose line names the case's host,
// and whose header names another one.
func otherHost(c client) string {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.site.HTTP))
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET http://%s/ HTTP/1.1\r\nHost: evil.example.org\r\nConnection: close\r\n\r\n", c.host)
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	return r.Header.Get("Location")
}

// A mover sends everybody to a place that only it knows.
type mover struct{}

func (mover) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "http://inside.example.org"+r.URL.Path, http.StatusFound)
}

// other is one more Ingress of the case's host, to the Service other.
func other(path string) string {
	return `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME-other, namespace: default}
spec:
  rules:
  - host: HOST
    http: {paths: [{pathType: Prefix, path: ` + path + `, backend: {service: {name: other, port: {number: 80}}}}]}
`
}
