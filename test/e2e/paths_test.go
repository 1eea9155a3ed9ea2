package e2e

import (
	"fmt"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// apps starts a backend for each name, on 10.244.<net>.<n>.
func apps(t *testing.T, w *world, net int, names ...string) {
	t.Helper()
	for i, n := range names {
		w.Apply(t, app(t, n, fmt.Sprintf("10.244.%d.%d", net, i+1)))
	}
}

// requests sends one request for each pair of URL and answer.
func requests(t *testing.T, s *cluster.Sallyport, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		expect(t, s, pairs[i], pairs[i+1])
	}
}

func TestPathTypes(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 1, "exact", "prefix", "longer", "raw", "root")
		w.Apply(t, ingress{name: "web", rules: []string{
			rule("Exact", "a.example.org", "/both", "exact"),
			rule("Prefix", "a.example.org", "/both", "prefix"),
			rule("Prefix", "a.example.org", "/foo", "prefix"),
			rule("Prefix", "a.example.org", "/foo/bar", "longer"),
			rule("Exact", "a.example.org", "/only", "exact"),
			rule("ImplementationSpecific", "a.example.org", "/raw", "raw"),
			rule("Prefix", "b.example.org", "/", "root"),
		}}.String())
		s := w.launch(t)
		const a = "http://a.example.org"
		requests(t, s,
			// Prefix matches by element.
			a+"/foo", "prefix", a+"/foo/", "prefix", a+"/foo/x", "prefix", a+"/foo?q=1", "prefix",
			a+"/foobar", "404", a+"/fo", "404", a+"/", "404", a+"/Foo", "404",
			// The longest wins.
			a+"/foo/bar", "longer", a+"/foo/bar/x", "longer", a+"/foo/barx", "prefix", a+"/foo/ba", "prefix",
			// Exact before Prefix, and nothing but the path itself.
			a+"/both", "exact", a+"/both/", "prefix", a+"/both/x", "prefix",
			a+"/only", "exact", a+"/only/", "404", a+"/only/x", "404", a+"/onlyx", "404",
			// ImplementationSpecific is Prefix.
			a+"/raw", "raw", a+"/rawhide", "404", a+"/raw/x", "raw", a+"/ra", "404",
			// The root takes everything.
			"http://b.example.org/", "root", "http://b.example.org/x/y", "root", "http://b.example.org", "root",
		)
	})
}

func TestRegexAndMetaCharactersInPathsAreText(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 2, "meta", "other")
		w.Apply(t, ingress{name: "meta", rules: []string{
			rule("Prefix", "a.example.org", "/a.c", "meta"),
			rule("ImplementationSpecific", "a.example.org", "/x+y", "meta"),
			rule("Prefix", "a.example.org", "/~user", "meta"),
			rule("Prefix", "a.example.org", "/abc", "other"),
		}}.String())
		s := w.launch(t)
		const a = "http://a.example.org"
		requests(t, s, a+"/a.c", "meta", a+"/abc", "other", a+"/axc", "404", a+"/x+y", "meta", a+"/xxy", "404", a+"/~user/x", "meta")
	})
}

func TestMissingSlash(t *testing.T) {
	slashes := ingress{name: "web", rules: []string{
		rule("Prefix", "a.example.org", "/foo/", "web"),
		rule("Exact", "a.example.org", "/exact/", "web"),
		rule("Prefix", "a.example.org", "/x/y/", "web"),
	}}.String()
	const a = "http://a.example.org"
	t.Run("redirects by default", func(t *testing.T) {
		eachSource(t, func(t *testing.T, w *world) {
			apps(t, w, 3, "web")
			w.Apply(t, slashes)
			s := w.launch(t)
			requests(t, s, a+"/foo/", "web", a+"/foo/x", "web", a+"/exact/", "web", a+"/foobar", "404", a+"/exact/x", "404",
				a+"/foo", "301 http://a.example.org/foo/", a+"/exact", "301 http://a.example.org/exact/",
				a+"/x/y?q=1", "301 http://a.example.org/x/y/?q=1")
		})
	})
	t.Run("never with --strict-paths", func(t *testing.T) {
		eachSource(t, func(t *testing.T, w *world) {
			apps(t, w, 3, "web")
			w.Apply(t, slashes)
			s := w.launch(t, "--strict-paths")
			// The specification: a Prefix ignores a slash at its end, an Exact path does not.
			requests(t, s, a+"/foo/", "web", a+"/foo", "web", a+"/foo/x", "web", a+"/foobar", "404",
				a+"/exact/", "web", a+"/exact", "404", a+"/x/y?q=1", "web", a+"/x", "404")
		})
	})
}

func TestPathsReachTheBackendAsSent(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 4, "web", "other")
		w.Apply(t, ingress{name: "web", rules: []string{
			rule("Prefix", "a.example.org", "/", "web"), rule("Prefix", "a.example.org", "/other", "other"),
		}}.String())
		s := w.launch(t)
		for _, path := range []string{
			"/", "/a/b/", "//a///b", "/a%2Fb", "/a%2fb%20c", "/a/./b/../c", "/%E4%BD%A0", "/a?x=%2F&y=//", "/?", "/a;b=c", "/a+b", "/a%25b",
			`/a"b'c`, "/a$b{c}", "/a\\b", "/a|b",
		} {
			r := expect(t, s, "http://a.example.org"+path, "web")
			if r.Seen != nil && r.Seen.URI != path {
				t.Errorf("sent %q, the backend saw %q", path, r.Seen.URI)
			}
		}
		// The route is chosen by the path's meaning, and the path still passes as sent.
		for _, path := range []string{"//other", "/x/../other", "/%6Fther", "/other/%2e%2e/other/x"} {
			r := expect(t, s, "http://a.example.org"+path, "other")
			if r.Seen != nil && r.Seen.URI != path {
				t.Errorf("sent %q, the backend saw %q", path, r.Seen.URI)
			}
		}
	})
}

func TestStrictPathsKeepSlashesApart(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 5, "web", "other")
		w.Apply(t, ingress{name: "web", rules: []string{
			rule("Prefix", "a.example.org", "/", "web"), rule("Prefix", "a.example.org", "/other", "other"),
		}}.String())
		s := w.launch(t, "--strict-paths")
		requests(t, s, "http://a.example.org/other", "other", "http://a.example.org//other", "web")
	})
}

func TestStrictPathTypes(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 1, "web")
		w.Apply(t, ingress{name: "web", rules: []string{
			rule("Prefix", "a.example.org", "/a,b", "web"),
			rule("Exact", "a.example.org", "/c,d", "web"),
			rule("ImplementationSpecific", "a.example.org", "/e,f", "web"),
			rule("Prefix", "a.example.org", "/plain", "web"),
		}}.String())
		s := w.launch(t, "--configmap=sallyport/sallyport")
		const a = "http://a.example.org"
		requests(t, s, a+"/a,b", "404", a+"/c,d", "404", a+"/e,f", "web", a+"/plain", "web")
		w.Apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sallyport, namespace: sallyport}\ndata: {strict-validate-path-type: \"false\"}\n")
		becomes(t, s, a+"/a,b", "web")
		becomes(t, s, a+"/c,d", "web")
		requests(t, s, a+"/e,f", "web", a+"/plain", "web")
	})
}
