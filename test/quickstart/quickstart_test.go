// Package quickstart tests that what `make run` starts serves what its
// manifests say, follows them, and leaves nothing behind.
package quickstart

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestQuickstart(t *testing.T) {
	q := start(t)
	q.ready(t)

	t.Run("hello is served by its three replicas", func(t *testing.T) {
		seen := map[string]int{}
		for range 12 {
			seen[q.get(t, "http", "hello.localhost", "/").signature]++
		}
		if len(seen) != 3 {
			t.Errorf("12 requests went to %v, want three replicas", seen)
		}
	})
	t.Run("shop is served with its certificate", func(t *testing.T) {
		for path, want := range map[string]string{"/": "replica-3", "/hello": "replica-"} {
			if got := q.get(t, "https", "shop.localhost", path); got.status != 200 || !strings.HasPrefix(got.signature, want) {
				t.Errorf("%s: status %d from %q, want %s", path, got.status, got.signature, want)
			}
		}
	})
	t.Run("shop without TLS is a redirect", func(t *testing.T) {
		got := q.get(t, "http", "shop.localhost", "/cart")
		if got.status != 308 || !strings.HasPrefix(got.location, "https://shop.localhost") {
			t.Errorf("status %d to %q", got.status, got.location)
		}
	})
	t.Run("an edit of the slice changes the traffic", func(t *testing.T) {
		q.edit(t, "hello.yaml", "- addresses: [127.0.0.1] # replica-1\n    conditions: {ready: true}\n  - addresses: [127.0.0.2] # replica-2\n    conditions: {ready: true}\n  ", "")
		eventually(t, "all requests go to replica-3", func() bool {
			for range 6 {
				if q.get(t, "http", "hello.localhost", "/").signature != "replica-3" {
					return false
				}
			}
			return true
		})
	})
	t.Run("an edit of the Ingress changes the traffic", func(t *testing.T) {
		q.edit(t, "hello.yaml", "host: hello.localhost", "host: hi.localhost")
		// nginx tells the old workers to quit 100 ms after it has started the
		// new ones; for so long either may answer.
		eventually(t, "hi.localhost is served, and hello.localhost no more", func() bool {
			for range 20 {
				if q.get(t, "http", "hi.localhost", "/").status != 200 || q.get(t, "http", "hello.localhost", "/").status != 404 {
					return false
				}
			}
			return true
		})
	})
	t.Run("a broken file changes nothing", func(t *testing.T) {
		q.edit(t, "hello.yaml", "spec:\n  ingressClassName", "spec: [\n  ingressClassName")
		eventually(t, "the log names hello.yaml", func() bool {
			return strings.Contains(q.output(), "hello.yaml:") // and a line
		})
		if got := q.get(t, "http", "hi.localhost", "/"); got.status != 200 {
			t.Errorf("hi.localhost answers %d", got.status)
		}
	})
	q.interrupt(t)
	q.nothingLeft(t)
}

// A second run has to find the ports and folders as the first one did.
func TestQuickstartTwiceInARow(t *testing.T) {
	q := start(t)
	for range 2 {
		q.ready(t)
		if got := q.get(t, "http", "hello.localhost", "/"); got.status != 200 {
			t.Errorf("status %d", got.status)
		}
		q.interrupt(t)
		q.nothingLeft(t)
		q.run(t)
	}
	eventually(t, "the replicas listen, before all is ready", func() bool {
		return strings.Contains(q.output(), "replica-")
	})
	q.interrupt(t)
	q.nothingLeft(t)
}

// When a part can't start, the whole must not go on without it.
func TestQuickstartEndsWhenAPortIsTaken(t *testing.T) {
	q := prepare(t)
	taken := listen(t, strings.Split(q.echoes, ",")[1])
	defer taken.Close()
	q.run(t)
	if err := <-q.ended; err == nil {
		t.Error("ends with status 0")
	}
	if out := q.output(); !strings.Contains(out, "address already in use") {
		t.Errorf("does not say why it ends:\n%s", out)
	}
	q.nothingLeft(t)
}

// An answer is what a host said to one request.
type answer struct {
	status              int
	signature, location string
}

// get makes one request over a connection of its own, and never another.
func (q *quickstart) get(t *testing.T, scheme, host, path string) answer {
	t.Helper()
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext:       q.dial,
		TLSClientConfig:   &tls.Config{RootCAs: q.certificate(t)},
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://"+host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	signature, _, _ := strings.Cut(string(body), "\n")
	return answer{response.StatusCode, signature, response.Header.Get("Location")}
}

// certificate is the one of shop.localhost, as the manifest has it.
func (q *quickstart) certificate(t *testing.T) *x509.CertPool {
	t.Helper()
	manifest, err := os.ReadFile(filepath.Join(q.manifests, "shop-certificate.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(strings.ReplaceAll(string(manifest), "\n    ", "\n"))) {
		t.Fatal("shop-certificate.yaml holds no certificate")
	}
	return pool
}
