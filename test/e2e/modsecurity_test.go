package e2e

import (
	"os"
	"testing"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/test/cluster"
)

const rulesSettings = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data:
  allow-snippet-annotations: "true"
  annotations-risk-level: Critical
`

func held(name, host string, annotations map[string]string) ingress {
	i := web(name, host, "web")
	i.annotations = map[string]string{}
	for key, value := range annotations {
		i.annotations[annotation.DefaultPrefix+"/"+key] = value
	}
	return i
}

// nginx's module comes with the first Ingress that wants it, goes with the last
// one, and is there again, all in the same nginx.
func TestModSecurityComesAndGoes(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 72, "web")
		w.Apply(t, rulesSettings)
		w.Apply(t, web("other", "b.example.org", "web").String())
		w.Apply(t, web("web", "a.example.org", "web").String())
		s := w.launch(t, "--configmap=default/settings")
		const attack = "http://a.example.org/?q=%3Cscript%3Ealert(1)%3C/script%3E"
		master := s.Master()
		expect(t, s, attack, "web")
		for range 3 {
			w.Apply(t, held("web", "a.example.org", map[string]string{"enable-modsecurity": "true", "enable-owasp-core-rules": "true", "modsecurity-snippet": "SecRuleEngine On"}).String())
			becomes(t, s, attack, "403")
			expect(t, s, "http://a.example.org/?q=good", "web")
			expect(t, s, "http://b.example.org/?q=%3Cscript%3E", "web")
			w.Apply(t, web("web", "a.example.org", "web").String())
			becomes(t, s, attack, "web")
		}
		// By the ConfigMap, for all.
		w.Apply(t, rulesSettings+"  enable-modsecurity: \"true\"\n  enable-owasp-modsecurity-crs: \"true\"\n  modsecurity-snippet: SecRuleEngine On\n")
		becomes(t, s, attack, "403")
		becomes(t, s, "http://b.example.org/?q=%3Cscript%3Ealert(1)%3C/script%3E", "403")
		w.Apply(t, held("other", "b.example.org", map[string]string{"enable-modsecurity": "false"}).String())
		becomes(t, s, "http://b.example.org/?q=%3Cscript%3Ealert(1)%3C/script%3E", "web")
		becomes(t, s, attack, "403")
		// Wrong rules let nobody in where there were none before.
		w.Apply(t, rulesSettings)
		becomes(t, s, attack, "web")
		w.Apply(t, rulesSettings+"  enable-modsecurity: \"true\"\n  modsecurity-snippet: Include /etc/passwd\n")
		becomes(t, s, "http://a.example.org/", "503")
		expect(t, s, "http://b.example.org/", "web")
		if s.Master() != master {
			t.Errorf("nginx's master was %d and is %d", master, s.Master())
		}
	})
}

// Without root nothing may be written where the packages write.
func TestModSecurityWithoutRoot(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 73, "web")
	w.Apply(t, rulesSettings)
	w.Apply(t, held("web", "a.example.org", map[string]string{"enable-modsecurity": "true", "enable-owasp-core-rules": "true", "modsecurity-snippet": "SecRuleEngine On"}).String())
	o := cluster.Options{Args: []string{"--configmap=default/settings"}}
	if os.Geteuid() == 0 {
		readable(t, w.source.(*folder).dir)
		o.User = 65534
	}
	s := w.launchWith(t, o)
	requests(t, s, "http://a.example.org/?q=good", "web", "http://a.example.org/?q=%3Cscript%3Ealert(1)%3C/script%3E", "403")
}
