package e2e

import "testing"

func TestWatchNamespace(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 22, "one/web", "two/web")
	w.Apply(t, web("one/web", "one.example.org", "web").String()+web("two/web", "two.example.org", "web").String())
	s := w.launch(t, "--watch-namespace=one")
	requests(t, s, "http://one.example.org/", "one/web", "http://two.example.org/", "404")

	w.Apply(t, web("two/more", "more.example.org", "web").String()+web("one/more", "last.example.org", "web").String())
	becomes(t, s, "http://last.example.org/", "one/web")
	requests(t, s, "http://more.example.org/", "404")
}

func TestWatchNamespaceSelector(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 23, "one/web", "two/web")
	w.Apply(t, labelled("one", "blue"))
	w.Apply(t, web("one/web", "one.example.org", "web").String()+web("two/web", "two.example.org", "web").String())
	s := w.launch(t, "--watch-namespace-selector=team=blue")
	requests(t, s, "http://one.example.org/", "one/web", "http://two.example.org/", "404")

	w.Apply(t, labelled("two", "blue"))
	becomes(t, s, "http://two.example.org/", "two/web")
	w.Apply(t, labelled("one", "red"))
	becomes(t, s, "http://one.example.org/", "404")
	requests(t, s, "http://two.example.org/", "two/web")
}

func labelled(namespace, team string) string {
	return "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + namespace + ", labels: {team: " + team + "}}\n"
}
