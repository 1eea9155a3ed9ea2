package admission

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"
)

// How long a certificate that a replica made for itself lasts, and when the next
// one takes its place: with a third of its life to go, so that there are weeks to
// notice where that fails.
const (
	identityLife  = 90 * 24 * time.Hour
	identityRenew = 60 * 24 * time.Hour
	// backdate is for API servers whose clocks are behind ours.
	backdate = time.Hour
)

// OwnerScheme is that of the URI in a certificate which says whose it is:
// sallyport://namespace/pod.
const OwnerScheme = "sallyport"

// Owner names a replica in its certificates.
func Owner(namespace, pod string) *url.URL {
	return &url.URL{Scheme: OwnerScheme, Host: namespace, Path: "/" + pod}
}

// identity makes a certificate that signs itself and may sign nothing else: who
// believes it believes this one replica, and no authority's key lies anywhere.
// The private key never leaves this process.
func identity(owner *url.URL, hosts []string, now time.Time) (*tls.Certificate, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "sallyport admission webhook"},
		URIs:      []*url.URL{owner},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(identityLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
	if err != nil {
		return nil, fmt.Errorf("webhook certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}, err
}

// serves says whether a certificate is good for these hosts for some time yet.
func serves(c *tls.Certificate, hosts []string, now time.Time) bool {
	if now.After(c.Leaf.NotBefore.Add(backdate).Add(identityRenew)) {
		return false
	}
	for _, host := range hosts {
		if c.Leaf.VerifyHostname(host) != nil {
			return false
		}
	}
	return true
}
