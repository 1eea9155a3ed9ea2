package compat

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
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// A ca signs clients' certificates.
type ca struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	parent      *ca
}

// under makes an authority, of its own or signed by another.
func under(name string, parent *ca) *ca {
	a := &ca{parent: parent}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // doesn't fail
	a.certificate = &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	signer := parent
	if signer == nil {
		signer = a
	}
	a.certificate = signer.sign(a.certificate, &a.key.PublicKey)
	return a
}

func (a *ca) sign(c *x509.Certificate, public *ecdsa.PublicKey) *x509.Certificate {
	c.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<62))
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, a.certificate, public, a.key)
	if err != nil {
		panic(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return parsed
}

// client is a certificate of that subject, with what signed its authority.
func (a *ca) client(subject pkix.Name) tls.Certificate {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	leaf := a.sign(&x509.Certificate{Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, &key.PublicKey)
	c := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
	for up := a; up.parent != nil; up = up.parent {
		c.Certificate = append(c.Certificate, up.certificate.Raw)
	}
	return c
}

// secret is the manifest with its certificate, and with a list that revokes.
func (a *ca) secret(name string, revoked ...tls.Certificate) string {
	encode := func(kind string, der []byte) string {
		return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	text := fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: default}\ndata:\n  ca.crt: %s\n", name, encode("CERTIFICATE", a.certificate.Raw))
	if len(revoked) > 0 {
		list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
		for _, c := range revoked {
			leaf, _ := x509.ParseCertificate(c.Certificate[0])
			list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: leaf.SerialNumber, RevocationTime: time.Now()})
		}
		der, err := x509.CreateRevocationList(rand.Reader, list, a.certificate, a.key)
		if err != nil {
			panic(err)
		}
		text += "  ca.crl: " + encode("X509 CRL", der) + "\n"
	}
	return text + "---\n"
}

// with asks by TLS with a certificate, or none, and a header that pretends.
func withCertificate(what string, certificate *tls.Certificate, want string) probe {
	return probe{what, func(c client) string { return short(c.secure(certificate, cluster.Request{})) }, want}
}

func (c client) secure(certificate *tls.Certificate, q cluster.Request) cluster.Response {
	if q.URL == "" {
		q.URL = "https://HOST/"
	}
	q.Header = http.Header{"Ssl-Client-Verify": {"SUCCESS"}, "Ssl-Client-Subject-Dn": {"CN=root"}, "Ssl-Client-Cert": {"fake"}}
	q.TLS = &tls.Config{}
	if certificate != nil {
		q.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	return c.do(q)
}

// sees is what the backend sees of the client's certificate.
func sees(certificate *tls.Certificate, want string) probe {
	return probe{"headers", func(c client) string {
		r := c.secure(certificate, cluster.Request{})
		if r.Seen == nil {
			return short(r)
		}
		h := r.Seen.Header
		text, _, _ := strings.Cut(h.Get("Ssl-Client-Cert"), "%0A")
		return strings.Join([]string{h.Get("Ssl-Client-Verify"), h.Get("Ssl-Client-Subject-Dn"), h.Get("Ssl-Client-Issuer-Dn"), text}, "|")
	}, want}
}

func clientTLSGroup() group {
	root, stranger := under("root", nil), under("stranger", nil)
	deep := under("deep", under("middle", root))
	ann, bob := root.client(pkix.Name{CommonName: "ann"}), root.client(pkix.Name{CommonName: "bob"})
	revoked, other, far := root.client(pkix.Name{CommonName: "gone"}), stranger.client(pkix.Name{CommonName: "ann"}), deep.client(pkix.Name{CommonName: "far"})
	// Its organisation looks like a common name.
	posing := root.client(pkix.Name{CommonName: "eve", Organization: []string{"x,CN=ann", "CN=ann"}})
	objects := func(t *testing.T, _ *site) string {
		return root.secret("ca") + root.secret("ca-crl", revoked) + stranger.secret("stranger") +
			"apiVersion: v1\nkind: Secret\nmetadata: {name: broken, namespace: default}\nstringData: {ca.crt: none}\n---\n" +
			plainHost("a.example.com", "") + strangeHost() + twoIngresses("same.example.com", "ca", "ca") + twoIngresses("differs.example.com", "ca", "stranger") +
			cluster.Issue(t, cluster.ECDSA, "a.example.com").SecretYAML("default", "a")
	}
	ask := func(what, url, host string, certificate *tls.Certificate, want string) probe {
		return probe{what, func(c client) string {
			return short(c.secure(certificate, cluster.Request{URL: url, Host: host}))
		}, want}
	}
	ca := map[string]string{"auth-tls-secret": "default/ca"}
	and := func(more ...string) map[string]string {
		all := map[string]string{"auth-tls-secret": "default/ca"}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	return group{name: "clienttls", objects: objects, cases: []proof{
		{
			keys: []string{"auth-tls-secret"}, annotations: ca,
			probes: []probe{
				withCertificate("no certificate", nil, "400"), withCertificate("a stranger's", &other, "400"), withCertificate("a right one", &ann, "web"),
				sees(&ann, "SUCCESS|CN=ann|CN=root|"),
				gets("/", "403"),
				ask("through another host", "https://a.example.com/", "HOST", &ann, "421"),
				ask("through an unknown host", "https://unknown.example.com/", "HOST", &ann, "400"),
				{"the session of a host that asks for none", resumed("a.example.com", "HOST", nil), "refused"},
				{"the session of a host with another CA", resumed("HOST", "strange.example.com", &ann), "refused"},
			},
		}, {
			keys: []string{"auth-tls-verify-client"}, annotations: and("auth-tls-verify-client", "optional"),
			probes: []probe{
				withCertificate("no certificate", nil, "web"), sees(nil, "NONE|||"), withCertificate("a stranger's", &other, "400"), gets("/", "web"),
				ask("through another host", "https://a.example.com/", "HOST", &ann, "421"),
			},
		}, {
			annotations: and("auth-tls-verify-client", "optional_no_ca"),
			probes:      []probe{withCertificate("a stranger's", &other, "web")},
		}, {
			annotations: and("auth-tls-verify-client", "off"),
			probes:      []probe{withCertificate("no certificate", nil, "web"), sees(nil, "NONE|||")},
		}, {
			keys: []string{"auth-tls-verify-depth"}, annotations: and("auth-tls-verify-depth", "3"),
			probes: []probe{withCertificate("three deep", &far, "web")},
		}, {
			keys: []string{"auth-tls-error-page"}, annotations: and("auth-tls-error-page", "https://help.example.org/$host?x=1"),
			probes: []probe{withCertificate("no certificate", nil, "302 https://help.example.org/%24host?x=1"), withCertificate("a right one", &ann, "web")},
		}, {
			keys: []string{"auth-tls-pass-certificate-to-upstream"}, annotations: and("auth-tls-pass-certificate-to-upstream", "true"),
			probes: []probe{sees(&ann, "SUCCESS|CN=ann|CN=root|-----BEGIN%20CERTIFICATE-----")},
		}, {
			keys: []string{"auth-tls-match-cn"}, annotations: and("auth-tls-match-cn", "CN=(ann|joe)$"),
			probes: []probe{withCertificate("ann", &ann, "web"), withCertificate("bob", &bob, "403"), withCertificate("posing as ann", &posing, "403")},
		}, {
			// CVE-2025-1097: text that would leave its directive.
			annotations: and("auth-tls-match-cn", `CN=a") { return 200; } } #(`),
			probes:      []probe{withCertificate("ann", &ann, "503")},
		}, {
			annotations: and("auth-tls-secret", "default/ca-crl"),
			probes:      []probe{withCertificate("revoked", &revoked, "400"), withCertificate("another", &ann, "web")},
		},
		{annotations: and("auth-tls-secret", "default/missing"), probes: []probe{withCertificate("no Secret", &ann, "503"), gets("/", "503")}},
		{annotations: and("auth-tls-secret", "default/broken"), probes: []probe{withCertificate("no ca.crt", &ann, "503")}},
		{
			annotations: map[string]string{"satisfy": "any", "allowlist-source-range": "127.0.0.1", "auth-tls-secret": "default/ca", "auth-tls-match-cn": "CN=ann"},
			probes:      []probe{withCertificate("satisfied by an address, with another name", &bob, "403")},
		}, {
			annotations: ca, probes: []probe{
				ask("one Secret for two Ingresses: the older", "https://same.example.com/", "", nil, "400"),
				ask("the younger", "https://same.example.com/second", "", nil, "400"),
				ask("the younger", "https://same.example.com/second", "", &ann, "web"),
				ask("a path without", "https://same.example.com/third", "", nil, "400"),
				{"a path without, by HTTP", func(c client) string {
					return short(c.do(cluster.Request{URL: "http://same.example.com/third"}))
				}, "403"},
				ask("two Secrets: the older", "https://differs.example.com/", "", &ann, "web"),
				ask("the younger", "https://differs.example.com/second", "", &ann, "503"),
				{"the certificate of a host of its own", func(c client) string {
					r := c.secure(&ann, cluster.Request{URL: "https://a.example.com/"})
					return r.TLS.PeerCertificates[0].Subject.CommonName + " " + short(r)
				}, "a.example.com web"},
			},
		},
	}}
}

// resumed takes the session of one host to another that asks for certificates
// itself, and says whether that was of use.
func resumed(from, to string, certificate *tls.Certificate) func(c client) string {
	return func(c client) string {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			sessions := &anySession{}
			ask := func(name string, certificate *tls.Certificate) (cluster.Response, error) {
				config := &tls.Config{ClientSessionCache: sessions, MaxVersion: version}
				if certificate != nil {
					config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
				}
				return c.site.Try(cluster.Request{URL: "https://" + strings.ReplaceAll(name, "HOST", c.host) + "/", TLS: config})
			}
			if r, err := ask(from, certificate); err != nil || r.Status != 200 {
				return fmt.Sprint("not to be had from ", from, ": ", r.Status, err)
			}
			// A refused handshake is as good as a refused request.
			if r, err := ask(to, nil); err == nil && r.Status != 400 && r.Status != 421 {
				return fmt.Sprintf("%d in TLS %x, resumed: %v", r.Status, version, r.TLS.DidResume)
			}
		}
		return "refused"
	}
}

// anySession keeps one session for all hosts.
type anySession struct{ last *tls.ClientSessionState }

func (s *anySession) Get(string) (*tls.ClientSessionState, bool) { return s.last, s.last != nil }

func (s *anySession) Put(_ string, state *tls.ClientSessionState) { s.last = state }

func plainHost(host, annotations string) string {
	return ingress("plain", host, "/", annotations, "2020")
}

func strangeHost() string {
	return ingress("strange", "strange.example.com", "/", "nginx.ingress.kubernetes.io/auth-tls-secret: default/stranger", "2020")
}

func twoIngresses(host, first, second string) string {
	name := strings.TrimSuffix(host, ".example.com")
	line := func(secret string) string {
		return "nginx.ingress.kubernetes.io/auth-tls-secret: default/" + secret
	}
	return ingress(name+"-1", host, "/", line(first), "2020") + ingress(name+"-2", host, "/second", line(second), "2021") +
		ingress(name+"-3", host, "/third", "", "2022")
}

func ingress(name, host, path, annotations, year string) string {
	return fmt.Sprintf(`apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: %[1]s, namespace: default, creationTimestamp: "%[5]s-01-01T00:00:00Z", annotations: {nginx.ingress.kubernetes.io/ssl-redirect: "false", %[4]s}}
spec:
  tls: [{hosts: [%[2]s], secretName: a}]
  rules: [{host: %[2]s, http: {paths: [{pathType: Prefix, path: %[3]s, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
`, name, host, path, annotations, year)
}
