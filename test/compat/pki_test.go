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
	"net"
	"net/http"
	"testing"
	"time"
)

// A pki is a root, an authority below it, and who has certificates of that.
type pki struct {
	t         *testing.T
	root      string // PEM
	middle    *x509.Certificate
	middleKey *ecdsa.PrivateKey
}

func newPKI(t *testing.T) *pki {
	p := &pki{t: t}
	root, key, text := p.sign("root", nil, nil, true)
	p.root = text
	p.middle, p.middleKey, _ = p.sign("middle", root, key, true)
	return p
}

func (p *pki) sign(name string, parent *x509.Certificate, by *ecdsa.PrivateKey, authority bool) (*x509.Certificate, *ecdsa.PrivateKey, string) {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		p.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: authority, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if !authority {
		c.DNSNames = []string{name}
	}
	if parent == nil {
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		p.t.Fatal(err)
	}
	c, err = x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return c, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// pair is a certificate for a name, with the authority's behind it.
func (p *pki) pair(name string) tls.Certificate {
	c, key, _ := p.sign(name, p.middle, p.middleKey, false)
	return tls.Certificate{Certificate: [][]byte{c.Raw, p.middle.Raw}, PrivateKey: key, Leaf: c}
}

// secret is a Secret with a pair and the root.
func (p *pki) secret(name string, pair tls.Certificate) string {
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		p.t.Fatal(err)
	}
	encode := func(kind string, blocks ...[]byte) string {
		var all []byte
		for _, b := range blocks {
			all = append(all, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b})...)
		}
		return base64.StdEncoding.EncodeToString(all)
	}
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: default}\ndata: {tls.crt: %s, tls.key: %s, ca.crt: %s}\n---\n",
		name, encode("CERTIFICATE", pair.Certificate...), encode("PRIVATE KEY", der), base64.StdEncoding.EncodeToString([]byte(p.root)))
}

// serveTLS answers with who is seen behind TLS: version, cipher, name asked
// for, and the client's certificate.
func serveTLS(t *testing.T, address string, config *tls.Config) {
	serveOn(t, address, &http.Server{TLSConfig: config, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			fmt.Fprint(w, "plain")
			return
		}
		client := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			client = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		w.Header().Set("Trailer", "Grpc-Status")
		fmt.Fprintf(w, "%s name=%s client=%s %s %s", r.Proto, r.TLS.ServerName, client, tls.VersionName(r.TLS.Version), tls.CipherSuiteName(r.TLS.CipherSuite))
		w.Header().Set("Grpc-Status", "0")
	})})
}

func serveOn(t *testing.T, address string, s *http.Server) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s.TLSConfig != nil {
			_ = s.ServeTLS(l, "", "") // ends with Close
			return
		}
		_ = s.Serve(l)
	}()
	t.Cleanup(func() { s.Close(); <-done })
}
