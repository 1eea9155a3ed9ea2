package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

const nginxPrefix = "nginx.ingress.kubernetes.io/"

// annotated is an Ingress with annotations, names without their prefix and
// values in turn.
func annotated(i ingress, pairs ...string) string {
	i.annotations = map[string]string{}
	for n := 0; n < len(pairs); n += 2 {
		i.annotations[nginxPrefix+pairs[n]] = pairs[n+1]
	}
	return i.String()
}

// reloads is what tells of reloads: nginx's workers, and the time of the last
// one, which the controller has in its metrics.
func reloads(t *testing.T, s *cluster.Sallyport) string {
	t.Helper()
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", s.Health))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{fmt.Sprint("workers ", s.Workers())}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "nginx_ingress_controller_success{") || strings.HasPrefix(line, "nginx_ingress_controller_config_last_reload_successful_timestamp_seconds") {
			all = append(all, line)
		}
	}
	if len(all) != 3 {
		t.Fatalf("/metrics says nothing of reloads: %q", all)
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// sameWorkers does something that takes effect and must not be a reload.
func sameWorkers(t *testing.T, s *cluster.Sallyport, do func()) {
	t.Helper()
	before := reloads(t, s)
	do()
	if after := reloads(t, s); after != before {
		t.Errorf("there was a reload:\n%s\nthen\n%s", before, after)
	}
}

// What annotations say in data takes effect without a reload.
func TestAnnotationsChangeWithoutAReload(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 110, "web", "next")
		yes, no := authServer(t, "10.244.110.10:8080", 200), authServer(t, "10.244.110.11:8080", 403)
		main := func(pairs ...string) {
			w.Apply(t, annotated(web("web", "a.example.org", "web"), append([]string{"enable-cors", "true", "load-balance", "round_robin"}, pairs...)...))
		}
		canary := func(weight string) {
			w.Apply(t, annotated(web("canary", "a.example.org", "next"), "canary", "true", "canary-weight", weight))
		}
		main("cors-allow-origin", "https://one.example.org", "auth-url", yes)
		canary("0")
		s := w.launch(t)
		const url = "http://a.example.org/"
		requests(t, s, url, "web")

		sameWorkers(t, s, func() {
			canary("100")
			becomes(t, s, url, "next")
			canary("0")
			becomes(t, s, url, "web")
		})
		sameWorkers(t, s, func() {
			main("cors-allow-origin", "https://two.example.org", "auth-url", yes)
			cluster.Eventually(t, "the other site may read it", func() error {
				r := s.Do(t, cluster.Request{URL: url, Header: http.Header{"Origin": {"https://two.example.org"}}})
				if got := r.Header.Get("Access-Control-Allow-Origin"); got != "https://two.example.org" {
					return fmt.Errorf("Access-Control-Allow-Origin is %q", got)
				}
				return nil
			})
			r := s.Do(t, cluster.Request{URL: url, Header: http.Header{"Origin": {"https://one.example.org"}}})
			if got := r.Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("the first site still may: %q", got)
			}
		})
		sameWorkers(t, s, func() {
			main("cors-allow-origin", "https://two.example.org", "auth-url", no)
			becomes(t, s, url, "403")
			main("cors-allow-origin", "https://two.example.org", "auth-url", yes)
			becomes(t, s, url, "web")
		})
		sameWorkers(t, s, func() {
			main("auth-url", yes, "load-balance", "ewma", "affinity", "cookie", "session-cookie-name", "first")
			becomesCookie(t, s, url, "first")
			main("auth-url", yes, "load-balance", "ewma", "affinity", "cookie", "session-cookie-name", "second")
			becomesCookie(t, s, url, "second")
		})
		// What must be one is one.
		before := reloads(t, s)
		main("auth-url", yes, "whitelist-source-range", "192.0.2.1")
		becomes(t, s, url, "403")
		if reloads(t, s) == before {
			t.Error("a list of addresses is a reload, and was not seen as one: the test sees none")
		}
	})
}

// authServer answers with one status, and gives its URL.
func authServer(t *testing.T, address string, status int) string {
	t.Helper()
	cluster.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }), address)
	return "http://" + address + "/"
}

func becomesCookie(t *testing.T, s *cluster.Sallyport, url, name string) {
	t.Helper()
	cluster.Eventually(t, "the cookie is "+name, func() error {
		if got := s.Get(t, url).Header.Get("Set-Cookie"); !strings.HasPrefix(got, name+"=") {
			return fmt.Errorf("Set-Cookie is %q", got)
		}
		return nil
	})
}

// So do the ConfigMaps that annotations name; what becomes a directive takes
// effect by a reload.
func TestNamedConfigMapsChange(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 111, "web")
		var told atomic.Value
		cluster.Serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told.Store(r.Header.Get("X-Who")) }), "10.244.111.10:8080")
		fastCGI(t, "10.244.111.11:8080")
		named := func(name, key, value string) string {
			return fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: default}\ndata: {%s: %q}\n", name, key, value)
		}
		w.Apply(t, configMap(`global-allowed-response-headers: "X-Site"`)+named("shown", "X-Site", "one")+named("told", "X-Who", "one")+named("params", "MOOD", "one"))
		w.Apply(t, annotated(web("web", "a.example.org", "web"), "custom-headers", "default/shown", "auth-url", "http://10.244.111.10:8080/", "auth-proxy-set-headers", "default/told"))
		w.Apply(t, service("fast", "10.244.111.11")+annotated(web("fast", "b.example.org", "fast"), "backend-protocol", "FCGI", "fastcgi-params-configmap", "default/params"))
		s := w.launch(t, "--configmap=sallyport/sallyport")
		site := func() string {
			return fmt.Sprint(s.Get(t, "http://a.example.org/").Header.Get("X-Site"), " ", told.Load())
		}
		mood := func() string { return s.Get(t, "http://b.example.org/").Header.Get("X-Mood") }
		if site() != "one one" || mood() != "one" {
			t.Errorf("at first, clients and the auth server see %q, FastCGI %q", site(), mood())
		}
		sameWorkers(t, s, func() {
			w.Apply(t, named("shown", "X-Site", "two")+named("told", "X-Who", "three"))
			becomesText(t, "what clients and the auth server see", site, "two three")
		})
		w.Apply(t, named("params", "MOOD", "two"))
		becomesText(t, "FastCGI's parameter", mood, "two")
		// Without them, headers are not there, FastCGI has the usual ones, and the
		// location whose auth is incomplete is closed.
		for _, name := range []string{"shown", "params", "told"} {
			w.Delete(t, "ConfigMap", "default", name)
		}
		becomesText(t, "FastCGI's parameter", mood, "")
		becomes(t, s, "http://a.example.org/", "503")
	})
}

func becomesText(t *testing.T, what string, get func() string, want string) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("%s becomes %q", what, want), func() error {
		if got := get(); got != want {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
}

// fastCGI answers with the parameter MOOD, as the header X-Mood.
func fastCGI(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		_ = fcgi.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Mood", fcgi.ProcessEnv(r)["MOOD"]) }))
	}()
}
