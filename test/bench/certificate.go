package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// A certificate is a self-signed one and its key, in PEM.
type certificate struct{ chain, key []byte }

// newCertificate makes one for a host. Its serial number tells it from others.
func newCertificate(s *lab.Session, host string, serial int64) certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.Must(err, "certificate")
	t := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	chain, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	s.Must(err, "certificate")
	der, err := x509.MarshalPKCS8PrivateKey(key)
	s.Must(err, "certificate")
	return certificate{
		chain: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain}),
		key:   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}
}
