package e2e

import (
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// No Secret is read but those that an Ingress of ours names, each by its name,
// nor any ConfigMap but the controller's own: the API server's audit log has
// each request.
func TestOnlyNamedSecretsAreAskedFor(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 60, "web", "two/web")
	for _, name := range []string{"default/mine", "default/unused", "two/mine", "two/foreign"} {
		ns, bare := split(name)
		w.Apply(t, cluster.Issue(t, cluster.ECDSA, "a.example.org").SecretYAML(ns, bare))
	}
	foreign := secure("two/foreign", "foreign.example.org", "foreign")
	foreign.class = "other" // of no class of ours
	w.Apply(t, secure("web", "a.example.org", "mine").String()+secure("two/web", "b.example.org", "mine").String()+foreign.String())
	from := len(audit(t, w))
	s := w.launch(t, "--configmap=sallyport/sallyport")
	presents(t, s, "a.example.org", "a.example.org")
	// A Secret that is named later is asked for then.
	w.Apply(t, cluster.Issue(t, cluster.ECDSA, "later.example.org").SecretYAML("two", "later"))
	w.Apply(t, secure("two/later", "later.example.org", "later").String())
	changesCertificate(t, s, "later.example.org", "later.example.org")
	s.Stop(t) // watches that ended are in the log

	allowed := map[string]bool{"default/mine": true, "two/mine": true, "two/later": true, "sallyport/sallyport": true}
	asked := map[string]bool{}
	for _, a := range audit(t, w)[from:] {
		if r := a.ObjectRef.Resource; r != "secrets" && r != "configmaps" {
			continue
		}
		name := a.ObjectRef.Name
		if _, selected, ok := strings.Cut(a.RequestURI, "fieldSelector=metadata.name%3D"); ok {
			name, _, _ = strings.Cut(selected, "&")
		}
		what := a.ObjectRef.Namespace + "/" + name
		if !allowed[what] { // without a name it is a list of all
			t.Errorf("the controller asked for %s", a)
		}
		asked[what] = true
	}
	for what := range allowed {
		if !asked[what] {
			t.Errorf("the audit log has no request for %s: this test sees nothing", what)
		}
	}
}

func audit(t *testing.T, w *world) []cluster.AuditEntry {
	t.Helper()
	all, err := w.cluster().Audit()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The rights of ingress-nginx are enough: nothing that the controller asks for
// is refused.
func TestNothingIsForbidden(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 61, "web")
	w.Apply(t, cluster.Issue(t, cluster.ECDSA, "a.example.org").SecretYAML("default", "cert"))
	w.Apply(t, secure("web", "a.example.org", "cert").String())
	from := len(audit(t, w))
	s := w.launch(t, "--configmap=sallyport/sallyport", "--publish-status-address=192.0.2.1", "--enable-metrics")
	event(t, w, "Ingress", "default", "web", "Normal", "sync")
	cluster.Eventually(t, "the status is written", func() error { return hasStatus(t, w, "default", "web", "192.0.2.1") })
	s.Stop(t)
	for _, a := range audit(t, w)[from:] {
		if a.ResponseStatus.Code == 403 {
			t.Errorf("refused: %s", a)
		}
	}
}
