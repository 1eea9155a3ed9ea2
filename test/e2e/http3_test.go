package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

const http3On = `use-http3: "true"`

// An nginx that can't is told of, and serves as it did.
func TestHTTP3WhereNginxHasNone(t *testing.T) {
	if cluster.NoHTTP3() == "" {
		t.Skip("nginx has HTTP/3 here: TestHTTP3 has the other half")
	}
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 61, "web")
		w.Apply(t, configMap(http3On)+secure("web", "a.example.org", "none").String())
		s := w.launch(t, "--configmap=sallyport/sallyport")
		logged(t, s, "ConfigMap sallyport/sallyport", "data.use-http3", "has no effect", "built without HTTP/3")
		if r := expect(t, s, "https://a.example.org/", "web"); r.Header.Get("Alt-Svc") != "" {
			t.Errorf("clients are told of %q", r.Header.Get("Alt-Svc"))
		}
	})
}

// self is a certificate that signed itself, for clients, and its Secret.
func self(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, "---\napiVersion: v1\nkind: Secret\nmetadata: {name: ca, namespace: default}\ndata: {ca.crt: " + text + "}\n"
}

// inHTTP3 is a world with HTTP/3: a.example.org and *.wild.example.org with
// certificates, mine.example.org for clients with one, closed.example.org for
// nobody.
func inHTTP3(t *testing.T, w *world, net int, settings ...string) (*cluster.Sallyport, tls.Certificate) {
	t.Helper()
	if why := cluster.NoHTTP3(); why != "" {
		t.Skip(why)
	}
	apps(t, w, net, "web")
	client, ca := self(t)
	w.Apply(t, ca)
	w.Apply(t, cluster.Issue(t, cluster.ECDSA, "a.example.org").SecretYAML("default", "a"))
	w.Apply(t, cluster.Issue(t, cluster.RSA, "*.wild.example.org").SecretYAML("default", "wild"))
	mine, closed := web("mine", "mine.example.org", "web"), web("closed", "closed.example.org", "web")
	mine.annotations = map[string]string{"nginx.ingress.kubernetes.io/auth-tls-secret": "default/ca"}
	closed.annotations = map[string]string{"nginx.ingress.kubernetes.io/whitelist-source-range": "192.0.2.0/24"}
	w.Apply(t, secure("a", "a.example.org", "a").String()+secure("wild", "*.wild.example.org", "wild").String()+mine.String()+closed.String())
	w.Apply(t, configMap(append(settings, http3On)...))
	return w.launch(t, "--configmap=sallyport/sallyport"), client
}

func TestHTTP3(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		s, client := inHTTP3(t, w, 62)
		for host, want := range map[string]string{"a.example.org": "a.example.org", "x.wild.example.org": "*.wild.example.org", "nobody.example.org": fake} {
			r := s.HTTP3(t, cluster.Request{URL: "https://" + host + "/"})
			if got := r.TLS.PeerCertificates[0].Subject.CommonName; got != want || r.Proto != "HTTP/3.0" {
				t.Errorf("%s: certificate of %q over %s, want %q", host, got, r.Proto, want)
			}
		}
		r := s.HTTP3(t, cluster.Request{URL: "https://a.example.org/x?y", Method: "POST", Body: strings.Repeat("x", 100_000)})
		if seen := r.Seen; seen == nil || seen.Body != 100_000 || seen.Host != "a.example.org" || seen.URI != "/x?y" ||
			seen.Header.Get("X-Forwarded-Proto") != "https" || seen.Header.Get("X-Forwarded-For") != "127.0.0.1" || seen.Header.Get("X-Forwarded-Host") != "a.example.org" {
			t.Errorf("the backend saw %+v", seen)
		}

		// Who is not let in otherwise is not by this way.
		for name, c := range map[string]struct {
			hello, asks string
			client      bool
			want        string
		}{
			"an address that is not listed":           {"closed.example.org", "closed.example.org", false, "403"},
			"the same over another host's connection": {"a.example.org", "closed.example.org", false, "403"},
			"no certificate":                          {"mine.example.org", "mine.example.org", false, "400"},
			"the certificate":                         {"mine.example.org", "mine.example.org", true, "web"},
			"over another host's connection":          {"a.example.org", "mine.example.org", true, "421"},
		} {
			config := &tls.Config{ServerName: c.hello}
			if c.client {
				config.Certificates = []tls.Certificate{client}
			}
			if got := answers(s.HTTP3(t, cluster.Request{URL: "https://" + c.asks + "/", TLS: config})); got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
		}

		// Clients of https are told, at the port that they asked, and others are not.
		for host, want := range map[string]string{"a.example.org": `h3=":443"; ma=86400`, "a.example.org:8443": `h3=":8443"; ma=86400`, "a.example.org:123456": `h3=":443"; ma=86400`} {
			got, err := s.Try(cluster.Request{URL: "https://a.example.org/", Host: host})
			if err != nil || got.Header.Get("Alt-Svc") != want {
				t.Errorf("clients of %s are told of %q, %v; want %q", host, got.Header.Get("Alt-Svc"), err, want)
			}
		}
		if r := s.Get(t, "http://mine.example.org/"); r.Header.Get("Alt-Svc") != "" {
			t.Errorf("clients of http are told of %q", r.Header.Get("Alt-Svc"))
		}

		// Endpoints and certificates are data here as well: the connection stays.
		c, err := s.DialHTTP3("a.example.org", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		workers := s.Workers()
		cluster.Echo(t, "other", "10.244.62.77:8080")
		w.Apply(t, slice("web", "web-1", "10.244.62.77"))
		becomes(t, s, "https://a.example.org/", "other")
		if r, err := c.Try(cluster.Request{URL: "https://a.example.org/"}); err != nil || answers(r) != "other" || !slices.Equal(workers, s.Workers()) {
			t.Errorf("the connection from before: %v, %v", r, err)
		}
	})
}

// A reload ends what is idle and leaves no old worker behind. While old and new
// workers read the same sockets, either may get a packet that is not for it,
// so a request that is under way can be lost, and this can't hold that none is.
func TestHTTP3OverReloads(t *testing.T) {
	w := inFolder(t)
	s, _ := inHTTP3(t, w, 63)
	for round := range 3 {
		idle, err := s.DialHTTP3("a.example.org", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := idle.Try(cluster.Request{URL: "https://a.example.org/"}); err != nil {
			t.Fatal(err)
		}
		workers := s.Workers()
		host := fmt.Sprintf("h%d.example.org", round)
		w.Apply(t, secure("change", host, "none").String())
		becomes(t, s, "https://"+host+"/", "web")
		<-idle.Ended() // by the server, or by its client's idle timeout
		gone(t, s, workers)
		if r := s.HTTP3(t, cluster.Request{URL: "https://" + host + "/"}); answers(r) != "web" || r.Proto != "HTTP/3.0" {
			t.Errorf("the new host over HTTP/3: %s over %s", r, r.Proto)
		}
	}
}

// What is turned off is gone, and a port that is somebody else's is waited for.
func TestHTTP3OnAndOff(t *testing.T) {
	w := inFolder(t)
	s, _ := inHTTP3(t, w, 64, `quic-retry: "true"`)
	if r := s.HTTP3(t, cluster.Request{URL: "https://a.example.org/"}); answers(r) != "web" {
		t.Errorf("with quic-retry: %s", r)
	}
	w.Apply(t, configMap(http3On, `ssl-protocols: TLSv1.2`))
	logged(t, s, "data.use-http3", "ssl-protocols leaves TLSv1.3 out")
	cluster.Eventually(t, "clients are told no more", func() error {
		if got := s.Get(t, "https://a.example.org/").Header.Get("Alt-Svc"); got != "" {
			return fmt.Errorf("they are told of %s", got)
		}
		return nil
	})
	w.Apply(t, configMap(http3On, `ssl-reject-handshake: "true"`))
	cluster.Eventually(t, "a host that nobody has gets no handshake", func() error {
		c, err := s.DialHTTP3("nobody.example.org", nil)
		if err == nil {
			c.Close()
			return fmt.Errorf("it gets one")
		}
		return nil
	})
	cluster.Eventually(t, "one that somebody has goes on", func() error {
		c, err := s.DialHTTP3("a.example.org", nil)
		if err == nil {
			c.Close()
		}
		return err
	})
	w.Apply(t, configMap(http3On, `use-proxy-protocol: "true"`))
	logged(t, s, "data.use-http3", "PROXY protocol")
}
