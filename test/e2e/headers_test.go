package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func TestForwardedHeaders(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 50, "web")
		w.Apply(t, web("web", "a.example.org", "web").String())
		s := w.launch(t)
		for scheme, port := range map[string]int{"http": s.HTTP, "https": s.HTTPS} {
			r := s.Get(t, scheme+"://a.example.org/x")
			if r.Seen == nil {
				t.Fatalf("%s: %s", scheme, r)
			}
			sees(t, r.Seen, map[string]string{
				"X-Real-Ip": "127.0.0.1", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "a.example.org",
				"X-Forwarded-Port": fmt.Sprint(port), "X-Forwarded-Proto": scheme, "X-Forwarded-Scheme": scheme, "X-Scheme": scheme,
				"X-Original-Forwarded-For": "", "Proxy": "", "Connection": "",
			})
			if r.Seen.Host != "a.example.org" || r.Seen.Proto != "HTTP/1.1" || r.Seen.TLS {
				t.Errorf("%s: the backend saw host %q, %s, TLS %v", scheme, r.Seen.Host, r.Seen.Proto, r.Seen.TLS)
			}
		}
	})
}

func sees(t *testing.T, seen *cluster.Seen, want map[string]string) {
	t.Helper()
	for name, value := range want {
		switch got := seen.Header[name]; {
		case value == "" && got == nil:
		case len(got) != 1 || got[0] != value:
			t.Errorf("%s: the backend saw %q, want %q", name, got, value)
		}
	}
}

// What a client says of itself in these headers is replaced: a backend that
// believes them would believe anybody.
func TestForgedHeadersAreReplaced(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 51, "web")
		w.Apply(t, web("web", "a.example.org", "web").String())
		s := w.launch(t)
		forged := http.Header{}
		for _, name := range []string{
			"X-Real-IP", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Scheme",
			"X-Original-Forwarded-For", "Proxy", "x-forwarded-for",
		} {
			forged[name] = []string{"forged"}
		}
		r := s.Do(t, cluster.Request{URL: "http://a.example.org/", Header: forged})
		if r.Seen == nil {
			t.Fatal(r)
		}
		sees(t, r.Seen, map[string]string{
			"X-Real-Ip": "127.0.0.1", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "a.example.org", "X-Forwarded-Port": fmt.Sprint(s.HTTP),
			"X-Forwarded-Proto": "http", "X-Forwarded-Scheme": "http", "X-Scheme": "http", "Proxy": "",
		})
		// nginx 1.22 gives the first of two lines of a name, later ones give all of them.
		if got := r.Seen.Header["X-Original-Forwarded-For"]; len(got) != 1 || !regexp.MustCompile(`^forged(, forged)?$`).MatchString(got[0]) {
			t.Errorf("X-Original-Forwarded-For: the backend saw %q, want what the client had sent as X-Forwarded-For", got)
		}
		if r := s.Do(t, cluster.Request{URL: "http://a.example.org/", Host: "a.example.org:8080"}); r.Seen == nil || r.Seen.Host != "a.example.org:8080" {
			t.Errorf("the host is passed as it came, with its port: %+v", r.Seen)
		}
	})
}

func TestRequestID(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 52, "web")
		w.Apply(t, web("web", "a.example.org", "web").String())
		s := w.launch(t)
		made := map[string]bool{}
		for range 10 {
			id := s.Get(t, "http://a.example.org/").Seen.Header.Get("X-Request-Id")
			if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) || made[id] {
				t.Errorf("X-Request-ID %q: want 32 hex digits, new with each request", id)
			}
			made[id] = true
		}
		r := s.Do(t, cluster.Request{URL: "http://a.example.org/", Header: http.Header{"X-Request-ID": {"mine"}}})
		if got := r.Seen.Header.Get("X-Request-Id"); got != "mine" {
			t.Errorf("X-Request-ID: sent mine, the backend saw %q", got)
		}
	})
}

func TestHSTS(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 53, "web")
		w.Apply(t, web("web", "a.example.org", "web").String())
		s := w.launch(t, "--configmap=sallyport/sallyport")
		const header, want = "Strict-Transport-Security", "max-age=31536000; includeSubDomains"
		for url, value := range map[string]string{"https://a.example.org/": want, "http://a.example.org/": "", "https://nobody.example.org/": want} {
			if got := s.Get(t, url).Header.Get(header); got != value {
				t.Errorf("%s: %s is %q, want %q", url, header, got, value)
			}
		}
		w.Apply(t, configMap(`hsts: "false"`))
		cluster.Eventually(t, "HSTS is off", func() error {
			if got := s.Get(t, "https://a.example.org/").Header.Get(header); got != "" {
				return fmt.Errorf("it is %q", got)
			}
			return nil
		})
	})
}

func TestBodiesPass(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 54, "web")
		limited := web("limited", "limited.example.org", "web")
		limited.annotations = map[string]string{"nginx.ingress.kubernetes.io/proxy-body-size": "10"}
		w.Apply(t, web("web", "a.example.org", "web").String()+limited.String())
		s := w.launch(t)
		big := string(make([]byte, 900<<10))
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			r := s.Do(t, cluster.Request{Method: method, URL: "http://a.example.org/", Body: big})
			if r.Seen == nil || r.Seen.Body != len(big) || r.Seen.Method != method {
				t.Errorf("%s: sent %d bytes, got %s", method, len(big), r)
			}
		}
		if r := s.Do(t, cluster.Request{Method: "POST", URL: "http://limited.example.org/", Body: "more than ten"}); r.Status != 413 {
			t.Errorf("a body above the limit: got %s, want 413", r)
		}
		if r := s.Do(t, cluster.Request{Method: "POST", URL: "http://limited.example.org/", Body: "ten"}); answers(r) != "web" {
			t.Errorf("a body below the limit: got %s, want web", r)
		}
	})
}
