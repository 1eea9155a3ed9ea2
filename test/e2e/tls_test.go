package e2e

import (
	"crypto/tls"
	"fmt"
	"slices"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

const fake = "Kubernetes Ingress Controller Fake Certificate"

// secure is an Ingress with one host and a TLS section.
func secure(name, host, secret string) ingress {
	i := web(name, host, "web")
	i.tls = []string{secret + "=" + host}
	return i
}

// certificateOf is the common name of the certificate that a host is served
// with, and the length of the chain.
func certificateOf(t *testing.T, s *cluster.Sallyport, host string, config *tls.Config) (string, int) {
	t.Helper()
	r := s.Do(t, cluster.Request{URL: "https://" + host + "/", TLS: config})
	chain := r.TLS.PeerCertificates
	return chain[0].Subject.CommonName, len(chain)
}

func presents(t *testing.T, s *cluster.Sallyport, host, want string) {
	t.Helper()
	if got, _ := certificateOf(t, s, host, nil); got != want {
		t.Errorf("%s: certificate of %q, want %q", host, got, want)
	}
}

func TestCertificatesBySNI(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 40, "web")
		w.Apply(t, cluster.Issue(t, cluster.RSA, "rsa.example.org").SecretYAML("default", "rsa"))
		w.Apply(t, cluster.Issue(t, cluster.ECDSA, "ecdsa.example.org").SecretYAML("default", "ecdsa"))
		w.Apply(t, cluster.Issue(t, cluster.ECDSA, "*.wild.example.org").SecretYAML("default", "wild"))
		w.Apply(t, secure("rsa", "rsa.example.org", "rsa").String()+secure("ecdsa", "ecdsa.example.org", "ecdsa").String()+
			secure("wild", "*.wild.example.org", "wild").String()+web("plain", "plain.example.org", "web").String())
		s := w.launch(t)
		for host, want := range map[string]string{
			"rsa.example.org": "rsa.example.org", "RSA.example.org": "rsa.example.org", "ecdsa.example.org": "ecdsa.example.org",
			"a.wild.example.org": "*.wild.example.org", "a.b.wild.example.org": fake, "wild.example.org": fake,
			"plain.example.org": fake, "nobody.example.org": fake,
		} {
			presents(t, s, host, want)
		}
		if _, n := certificateOf(t, s, "rsa.example.org", nil); n != 2 {
			t.Errorf("the chain has %d certificates, want the leaf and its issuer", n)
		}
		r := s.Do(t, cluster.Request{URL: "https://10.244.40.9/", Host: "rsa.example.org"}) // no server name is sent for an address
		if got := r.TLS.PeerCertificates[0].Subject.CommonName; got != fake || answers(r) != "web" {
			t.Errorf("without a server name: certificate of %q, answer %s", got, r)
		}
		requests(t, s, "https://rsa.example.org/", "web", "https://a.wild.example.org/", "web", "https://plain.example.org/", "web")
	})
}

// A Secret may serve an Ingress of its own namespace only.
func TestSecretsOfOtherNamespacesAreOutOfReach(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 41, "web")
		w.Apply(t, cluster.Issue(t, cluster.ECDSA, "a.example.org").SecretYAML("other", "cert"))
		i := web("web", "a.example.org", "web")
		i.tls = []string{"other/cert=a.example.org"}
		if w.name == "cluster" {
			i.tls = []string{"cert=a.example.org"} // the API server refuses the slash
		}
		w.Apply(t, i.String())
		s := w.launch(t)
		presents(t, s, "a.example.org", fake)
	})
}

func TestProtocols(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 42, "web")
		w.Apply(t, web("web", "a.example.org", "web").String())
		s := w.launch(t)
		for version, works := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
			r, err := s.Try(cluster.Request{URL: "https://a.example.org/", TLS: &tls.Config{MinVersion: version, MaxVersion: version}})
			if works && (err != nil || r.TLS.Version != version || answers(r) != "web") {
				t.Errorf("%s: %v, %v", tls.VersionName(version), r, err)
			}
			if !works && err == nil {
				t.Errorf("%s is spoken", tls.VersionName(version))
			}
		}
		r := s.Do(t, cluster.Request{URL: "https://a.example.org/x", HTTP2: true})
		if r.Proto != "HTTP/2.0" || r.TLS.NegotiatedProtocol != "h2" || answers(r) != "web" {
			t.Errorf("HTTP/2: %s %s %s", r.Proto, r.TLS.NegotiatedProtocol, r)
		}
		r = s.Do(t, cluster.Request{URL: "https://a.example.org/x", HTTP2: true, Method: "POST", Body: "hello"})
		if r.Seen == nil || r.Seen.Body != 5 || r.Seen.Method != "POST" {
			t.Errorf("a body over HTTP/2: %+v", r.Seen)
		}
	})
}

func TestDefaultCertificate(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 43, "web")
		w.Apply(t, cluster.Issue(t, cluster.ECDSA, "default.example.org").SecretYAML("system", "default"))
		w.Apply(t, secure("web", "a.example.org", "missing").String())
		s := w.launch(t, "--default-ssl-certificate=system/default")
		presents(t, s, "a.example.org", "default.example.org")
		presents(t, s, "nobody.example.org", "default.example.org")
		requests(t, s, "https://a.example.org/", "web")
		w.Delete(t, "Secret", "system", "default")
		changesCertificate(t, s, "nobody.example.org", fake)
	})
}

// A Secret that is missing or broken costs the host its own certificate, and
// nobody anything else; when it is mended, that shows at once.
func TestBrokenSecrets(t *testing.T) {
	good, other := cluster.Issue(t, cluster.ECDSA, "a.example.org"), cluster.Issue(t, cluster.RSA, "a.example.org")
	for name, broken := range map[string]string{
		"missing":                    "",
		"no PEM":                     cluster.Certificate{Chain: "hello", Key: good.Key}.SecretYAML("default", "cert"),
		"key of another certificate": cluster.Certificate{Chain: good.Chain, Key: other.Key}.SecretYAML("default", "cert"),
		"empty":                      cluster.Certificate{}.SecretYAML("default", "cert"),
		"PEM of nonsense":            cluster.Certificate{Chain: "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n", Key: good.Key}.SecretYAML("default", "cert"),
	} {
		t.Run(name, func(t *testing.T) {
			eachSource(t, func(t *testing.T, w *world) {
				apps(t, w, 44, "web")
				if broken != "" {
					w.Apply(t, broken)
				}
				w.Apply(t, cluster.Issue(t, cluster.ECDSA, "b.example.org").SecretYAML("default", "fine"))
				w.Apply(t, secure("web", "a.example.org", "cert").String()+secure("fine", "b.example.org", "fine").String())
				s := w.launch(t)
				presents(t, s, "a.example.org", fake)
				presents(t, s, "b.example.org", "b.example.org")
				requests(t, s, "https://a.example.org/", "web", "https://b.example.org/", "web")
				logged(t, s, "default/web", "cert")
				if w.name == "cluster" {
					event(t, w, "Ingress", "default", "web", "Warning", "cert")
				}
				w.Apply(t, good.SecretYAML("default", "cert"))
				changesCertificate(t, s, "a.example.org", "a.example.org")
			})
		})
	}
}

func changesCertificate(t *testing.T, s *cluster.Sallyport, host, want string) {
	t.Helper()
	cluster.Eventually(t, host+" is served with the certificate of "+want, func() error {
		if got, _ := certificateOf(t, s, host, nil); got != want {
			return fmt.Errorf("it is that of %s", got)
		}
		return nil
	})
}

func TestRotationWithoutAReload(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 45, "web")
		w.Apply(t, cluster.Issue(t, cluster.RSA, "first.example.org", "a.example.org").SecretYAML("default", "cert"))
		w.Apply(t, secure("web", "a.example.org", "cert").String())
		s := w.launch(t)
		presents(t, s, "a.example.org", "first.example.org")
		before := s.Workers()
		w.Apply(t, cluster.Issue(t, cluster.ECDSA, "second.example.org", "a.example.org").SecretYAML("default", "cert"))
		changesCertificate(t, s, "a.example.org", "second.example.org")
		for range 20 { // each worker has it
			presents(t, s, "a.example.org", "second.example.org")
		}
		if after := s.Workers(); !slices.Equal(before, after) {
			t.Errorf("workers were %v, now they are %v", before, after)
		}
	})
}
