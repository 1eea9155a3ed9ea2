package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// A Certificate is a chain with its key, in PEM.
type Certificate struct{ Chain, Key string }

// Kinds of keys.
const (
	RSA   = "RSA"
	ECDSA = "ECDSA"
)

// Issue makes a certificate for the names, signed by an intermediate authority
// that is in the chain. The first name is its common name.
func Issue(t T, kind string, names ...string) Certificate {
	t.Helper()
	c, err := issue(kind, names)
	if err != nil {
		t.Fatalf("certificate for %v: %v", names, err)
	}
	return c
}

// Authority is the certificate of whoever signed it, in PEM.
func (c Certificate) Authority() string {
	_, rest := pem.Decode([]byte(c.Chain))
	return string(rest)
}

// SecretYAML is the manifest of a TLS Secret.
func (c Certificate) SecretYAML(namespace, name string) string {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata: {name: %s, namespace: %s}
type: kubernetes.io/tls
data:
  tls.crt: %s
  tls.key: %s
`, name, namespace, encode([]byte(c.Chain)), encode([]byte(c.Key)))
}

func issue(kind string, names []string) (Certificate, error) {
	root, rootKey, err := authority("test root", nil, nil)
	if err != nil {
		return Certificate{}, err
	}
	middle, middleKey, err := authority("test intermediate", root, rootKey)
	if err != nil {
		return Certificate{}, err
	}
	key, err := newKey(kind)
	if err != nil {
		return Certificate{}, err
	}
	leaf := template(names[0])
	leaf.DNSNames = names
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, leaf, middle, key.Public(), middleKey)
	if err != nil {
		return Certificate{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Certificate{}, err
	}
	return Certificate{
		Chain: block("CERTIFICATE", der) + block("CERTIFICATE", middle.Raw),
		Key:   block("PRIVATE KEY", pkcs8),
	}, nil
}

func authority(name string, parent *x509.Certificate, parentKey crypto.Signer) (*x509.Certificate, crypto.Signer, error) {
	key, err := newKey(ECDSA)
	if err != nil {
		return nil, nil, err
	}
	c := template(name)
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	if parent == nil {
		parent, parentKey = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), parentKey)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	return parsed, key, err
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62)) // crypto/rand doesn't fail
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
}

func newKey(kind string) (crypto.Signer, error) {
	switch kind {
	case RSA:
		return rsa.GenerateKey(rand.Reader, 2048)
	case ECDSA:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return nil, fmt.Errorf("%s: no such kind of key", kind)
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
