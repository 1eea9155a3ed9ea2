package e2e

import (
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func TestRedirectToHTTPS(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 46, "web")
		w.Apply(t, cluster.Issue(t, cluster.ECDSA, "a.example.org").SecretYAML("default", "cert"))
		w.Apply(t, secure("web", "a.example.org", "cert").String()+web("plain", "plain.example.org", "web").String())
		off := secure("off", "off.example.org", "cert")
		off.annotations = map[string]string{"nginx.ingress.kubernetes.io/ssl-redirect": "false"}
		force := web("force", "force.example.org", "web")
		force.annotations = map[string]string{"nginx.ingress.kubernetes.io/force-ssl-redirect": "true"}
		keep := secure("keep", "keep.example.org", "cert")
		keep.annotations = map[string]string{"nginx.ingress.kubernetes.io/preserve-trailing-slash": "true"}
		w.Apply(t, off.String()+force.String()+keep.String())
		s := w.launch(t)
		const a = "http://a.example.org"
		requests(t, s,
			// A slash at the end is not kept, nor is it asked for.
			a+"/", "308 https://a.example.org", a+"/foo", "308 https://a.example.org/foo", a+"/foo/", "308 https://a.example.org/foo",
			a+"/foo?x=1&y=%2F", "308 https://a.example.org/foo?x=1&y=%2F", a+"/a%2Fb", "308 https://a.example.org/a%2Fb",
			"http://keep.example.org/foo/", "308 https://keep.example.org/foo/",
			"http://off.example.org/", "web", "http://plain.example.org/", "web",
			"http://force.example.org/x", "308 https://force.example.org/x",
			"https://a.example.org/foo/", "web", "https://off.example.org/", "web", "https://force.example.org/", "web",
		)
	})
}

// A certificate authority asks over plain HTTP.
func TestACMEChallengesAreNotRedirected(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 47, "web", "solver")
		w.Apply(t, cluster.Issue(t, cluster.ECDSA, "a.example.org").SecretYAML("default", "cert"))
		w.Apply(t, secure("web", "a.example.org", "cert").String())
		w.Apply(t, ingress{name: "solver", rules: []string{rule("Exact", "a.example.org", "/.well-known/acme-challenge/token", "solver")}}.String())
		s := w.launch(t)
		requests(t, s, "http://a.example.org/.well-known/acme-challenge/token", "solver", "http://a.example.org/.well-known/x", "308 https://a.example.org/.well-known/x")
	})
}

func TestRedirectsBySetting(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 48, "web")
		w.Apply(t, configMap(`ssl-redirect: "false"`)+secure("web", "a.example.org", "none").String())
		s := w.launch(t, "--configmap=sallyport/sallyport")
		requests(t, s, "http://a.example.org/", "web")
		w.Apply(t, configMap(`http-redirect-code: "301"`))
		becomes(t, s, "http://a.example.org/", "301 https://a.example.org")
	})
}
