package e2e

import (
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func external(name, target string) string {
	return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec: {type: ExternalName, externalName: " + target + "}\n"
}

func TestExternalName(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		d := cluster.StartDNS(t)
		d.Set(t, "web.example.com", "web.example.com. 1 IN CNAME real.example.com.", "real.example.com. 1 IN A 10.244.32.1")
		d.Set(t, "six.example.com", "six.example.com. 1 IN AAAA fd00:10:244:32::1")
		d.Set(t, "self.example.com", "self.example.com. 1 IN A 127.0.0.1")
		d.Set(t, "short.svc.cluster.local", "short.svc.cluster.local. 1 IN A 10.244.32.1")
		cluster.Echo(t, "web", "127.0.0.1:8080", "10.244.32.1:8080", "10.244.32.2:8080", "[fd00:10:244:32::1]:8080")
		w.Apply(t, external("web", "web.example.com")+external("six", "six.example.com")+external("none", "none.example.com")+
			external("self", "self.example.com")+external("short", "short"))
		w.Apply(t, ingress{name: "web", rules: []string{
			rule("Prefix", "web.example.org", "/", "web:8080"), rule("Prefix", "six.example.org", "/", "six:8080"),
			rule("Prefix", "none.example.org", "/", "none:8080"), rule("Prefix", "self.example.org", "/", "self:8080"),
			rule("Prefix", "short.example.org", "/", "short:8080"),
		}}.String())
		s := w.launch(t)
		requests(t, s, "http://web.example.org/", "web", "http://six.example.org/", "web", "http://short.example.org/", "web",
			"http://none.example.org/", "503")
		if w.name == "cluster" {
			// Whoever may write a Service must not reach what listens for the machine alone.
			// A folder is the machine's own.
			requests(t, s, "http://self.example.org/", "503")
		}
		if got := spread(t, s, "http://web.example.org/", 4); got != "10.244.32.1" {
			t.Errorf("requests went to %s", got)
		}
		// The records live for a second: then the name is asked for again.
		d.Set(t, "web.example.com", "web.example.com. 1 IN A 10.244.32.2")
		spreads(t, s, "http://web.example.org/", "10.244.32.2")
		// A server that fails leaves the last good addresses in force.
		d.Fail(true)
		asked := d.Asked("web.example.com")
		cluster.Eventually(t, "the name is asked for again", func() error {
			return more(d.Asked("web.example.com"), asked+3)
		})
		requests(t, s, "http://web.example.org/", "web")
		// A name that is gone has none.
		d.Set(t, "web.example.com")
		d.Fail(false)
		becomes(t, s, "http://web.example.org/", "503")
		// And one that starts to is served.
		d.Set(t, "none.example.com", "none.example.com. 1 IN A 10.244.32.1")
		becomes(t, s, "http://none.example.org/", "web")
	})
}

func TestExternalNameCanBeForbidden(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		cluster.StartDNS(t).Set(t, "web.example.com", "web.example.com. 1 IN A 10.244.33.1")
		apps(t, w, 33, "other")
		w.Apply(t, external("web", "web.example.com"))
		w.Apply(t, ingress{name: "web", rules: []string{
			rule("Prefix", "a.example.org", "/", "web:8080"), rule("Prefix", "a.example.org", "/other", "other"),
		}}.String())
		s := w.launch(t, "--disable-svc-external-name")
		requests(t, s, "http://a.example.org/", "503", "http://a.example.org/other", "other")
	})
}
