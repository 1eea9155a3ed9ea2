package e2e

import (
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func TestHosts(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 6, "exact", "wild", "deeper", "any")
		w.Apply(t, ingress{name: "web", rules: []string{
			rule("Prefix", "a.example.org", "/", "exact"),
			rule("Prefix", "*.example.org", "/", "wild"),
			rule("Prefix", "*.deep.example.org", "/", "deeper"),
			rule("Prefix", "", "/any", "any"),
		}}.String())
		s := w.launch(t)
		requests(t, s,
			"http://a.example.org/", "exact", "http://A.Example.ORG/", "exact", "http://a.example.org./", "exact", "http://a.example.org:8080/", "exact",
			// A wildcard is exactly one label.
			"http://b.example.org/", "wild", "http://example.org/", "404", "http://b.c.example.org/", "404", "http://xexample.org/", "404",
			"http://x.deep.example.org/", "deeper", "http://deep.example.org/", "wild", "http://x.y.deep.example.org/", "404",
			// A rule without a host is for all others, and not for paths of hosts that have rules.
			"http://other.example.com/any", "any", "http://10.244.0.1/any", "any", "http://other.example.com/", "404",
			"http://a.example.org/any", "exact",
		)
		r := s.Do(t, cluster.Request{URL: "http://x/any", Host: "b.c.example.org"})
		if got := answers(r); got != "any" {
			t.Errorf("a host that no rule names: got %s, want any", got)
		}
	})
}

func TestAHostIsMergedOverIngressesAndNamespaces(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 7, "one/web", "two/web", "three/web")
		for ns, path := range map[string]string{"one": "/", "two": "/two", "three": "/two/three"} {
			w.Apply(t, ingress{name: ns + "/web", rules: []string{rule("Prefix", "a.example.org", path, "web")}}.String())
		}
		s := w.launch(t)
		requests(t, s, "http://a.example.org/", "one/web", "http://a.example.org/two", "two/web", "http://a.example.org/two/three/x", "three/web")

		w.Delete(t, "Ingress", "two", "web")
		becomes(t, s, "http://a.example.org/two", "one/web")
		requests(t, s, "http://a.example.org/two/three", "three/web", "http://a.example.org/x", "one/web")
	})
}

// Of two Ingresses that want the same path the older one gets it, whatever its
// name; when it goes, the other does.
func TestConflictsGoToTheOldest(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 8, "young", "old", "spare")
		w.Apply(t, ingress{name: "z-old", created: "2020-01-01T00:00:00Z", rules: []string{rule("Prefix", "a.example.org", "/", "old")}}.String())
		w.secondPasses(t)
		w.Apply(t, ingress{name: "a-young", created: "2021-01-01T00:00:00Z", rules: []string{
			rule("Prefix", "a.example.org", "/", "young"), rule("Prefix", "a.example.org", "/young", "young"),
		}}.String())
		s := w.launch(t)
		requests(t, s, "http://a.example.org/", "old", "http://a.example.org/young", "young")
		logged(t, s, "default/a-young", "default/z-old")
		if w.name == "cluster" {
			event(t, w, "Ingress", "default", "a-young", "Warning", "default/z-old")
		}
		w.Delete(t, "Ingress", "default", "z-old")
		becomes(t, s, "http://a.example.org/", "young")
	})
}

func TestConflictsOfTheSameAgeGoByName(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 9, "one/web", "two/web")
	for _, ns := range []string{"two", "one"} {
		w.Apply(t, ingress{name: ns + "/web", created: "2020-01-01T00:00:00Z", rules: []string{rule("Exact", "a.example.org", "/x", "web")}}.String())
	}
	s := w.launch(t)
	requests(t, s, "http://a.example.org/x", "one/web")
}
