package build

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// proxySSL is TLS to the site's endpoints. What can't be set up as it was asked
// for closes the site: requests must not go where nobody was verified.
func (t *task) proxySSL(s *site) {
	want := s.values.ProxySSL
	tls := model.UpstreamTLS{Protocols: want.Protocols, Ciphers: want.Ciphers, ServerName: want.ServerName}
	var ca []byte
	if want.Secret != "" {
		pair, own, err := t.upstreamSecret(s, want.Secret)
		if err != nil {
			t.closedBy(s, "proxy-ssl-secret", err)
			return
		}
		ca = own
		if pair != nil {
			tls.Certificate, tls.Key = t.file(pair.Chain, true), t.file(pair.Key, true)
		}
	}
	if want.Verify {
		if len(ca) == 0 {
			t.closed(s, "proxy-ssl-verify", "has no proxy-ssl-secret with a ca.crt to verify by")
			return
		}
		tls.CA, tls.Depth = t.file(ca, true), want.Depth
	}
	if want.Verify || want.ServerName {
		tls.Name = want.Name
		if tls.Name == "" {
			tls.Name = s.claim.backend.Service.Name + "." + s.claim.backend.Service.Namespace + ".svc"
		}
	}
	s.location.Pass.TLS = tls
}

// upstreamSecret is the pair of a Secret, nil where it has none, and its CAs.
func (t *task) upstreamSecret(s *site, text string) (*model.Certificate, []byte, error) {
	secret, err := t.secretOf(s.claim.ingress, text)
	if err != nil {
		return nil, nil, err
	}
	key := store.Key{Namespace: secret.Namespace, Name: secret.Name}
	var ca []byte
	if text := secret.Data[corev1.ServiceAccountRootCAKey]; len(text) > 0 {
		if ca, err = authorities(text); err != nil {
			return nil, nil, fmt.Errorf("the Secret %s: ca.crt %w", key, err)
		}
	}
	pair, err := t.pair(key, secret)
	if err != nil {
		return nil, nil, err
	}
	if pair == nil && ca == nil {
		return nil, nil, fmt.Errorf("the Secret %s has neither tls.crt with tls.key nor ca.crt", key)
	}
	return pair, ca, nil
}

func (t *task) pair(key store.Key, secret *corev1.Secret) (*model.Certificate, error) {
	if len(secret.Data[corev1.TLSCertKey]) == 0 && len(secret.Data[corev1.TLSPrivateKeyKey]) == 0 {
		return nil, nil
	}
	p := t.secret(key)
	if p.err != nil {
		return nil, fmt.Errorf("the Secret %s %w", key, p.err)
	}
	return &p.certificate, nil
}

// authorities prints the certificates of a PEM text afresh.
func authorities(text []byte) ([]byte, error) {
	if len(text) > 4*maxPEM {
		return nil, fmt.Errorf("is longer than %d bytes", 4*maxPEM)
	}
	var chain [][]byte
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("holds a certificate that can't be read: %w", err)
		}
		chain = append(chain, block.Bytes)
	}
	if len(chain) == 0 {
		return nil, errors.New("holds no certificate")
	}
	return pemChain(chain), nil
}
