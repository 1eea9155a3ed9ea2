package e2e

import (
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func TestBuiltIn404(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 10, "web")
		w.Apply(t, ingress{name: "web", rules: []string{rule("Prefix", "a.example.org", "/web", "web")}}.String())
		s := w.launch(t)
		requests(t, s, "http://nobody.example.org/", "404", "http://a.example.org/", "404", "https://nobody.example.org/", "404")
		if r := s.Get(t, "http://nobody.example.org/"); strings.Contains(strings.ToLower(r.Header.Get("Server")+r.Body), "nginx/") {
			t.Errorf("the version of nginx is told to everybody: %v %s", r.Header, r.Body)
		}
		for path, want := range map[string]int{"/": 404, "/healthz": 200} {
			if r := (&cluster.Sallyport{HTTP: s.Default}).Get(t, "http://x"+path); r.Status != want {
				t.Errorf("default server, %s: got %d, want %d", path, r.Status, want)
			}
		}
	})
}

func TestDefaultBackendOfAnIngress(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 11, "web", "rest", "all")
		w.Apply(t, ingress{name: "web", fallback: "rest", rules: []string{rule("Prefix", "a.example.org", "/web", "web")}}.String())
		w.Apply(t, ingress{name: "all", fallback: "all"}.String())
		s := w.launch(t)
		requests(t, s, "http://a.example.org/web", "web", "http://a.example.org/x", "rest", "http://a.example.org/", "rest",
			"http://nobody.example.org/x", "all")
	})
}

func TestDefaultBackendService(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 12, "web", "system/last")
		w.Apply(t, ingress{name: "web", rules: []string{rule("Prefix", "a.example.org", "/web", "web")}}.String())
		s := w.launch(t, "--default-backend-service=system/last")
		requests(t, s, "http://a.example.org/web", "web", "http://a.example.org/", "system/last", "http://nobody.example.org/x", "system/last")
	})
}

func TestDefaultBackendServiceThatIsMissing(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 13, "web")
		w.Apply(t, ingress{name: "web", rules: []string{rule("Prefix", "a.example.org", "/web", "web")}}.String())
		s := w.launch(t, "--default-backend-service=system/later")
		requests(t, s, "http://a.example.org/web", "web", "http://nobody.example.org/", "404")
		apps(t, w, 14, "system/later")
		becomes(t, s, "http://nobody.example.org/", "system/later")
	})
}
