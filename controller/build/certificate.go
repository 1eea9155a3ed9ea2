package build

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// A parsedSecret is what a Secret holds for TLS, or why it can't be used.
type parsedSecret struct {
	from        *corev1.Secret
	id          model.CertificateID
	certificate model.Certificate
	leaf        *x509.Certificate
	err         error
}

var errMissing = errors.New("does not exist, or may not be read")

// maxPEM is many times a long chain, in bytes, and little enough that a
// tenant's Secrets don't fill the memory that all share.
const maxPEM = 64 << 10

// secret parses a Secret, once for each version.
func (t *task) secret(key store.Key) parsedSecret {
	t.used[key] = true
	from := t.s.Secrets[key]
	p, ok := t.secrets[key]
	if !ok || p.from != from {
		p = parseSecret(key, from)
		t.secrets[key] = p
	}
	return p
}

func parseSecret(key store.Key, from *corev1.Secret) parsedSecret {
	p := parsedSecret{from: from}
	if from == nil {
		p.err = errMissing
		return p
	}
	chain, private := from.Data[corev1.TLSCertKey], from.Data[corev1.TLSPrivateKeyKey]
	if len(chain) == 0 || len(private) == 0 {
		p.err = fmt.Errorf("has no %s or no %s", corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
		return p
	}
	if len(chain) > maxPEM || len(private) > maxPEM {
		p.err = fmt.Errorf("holds more than %d bytes of certificates or key", maxPEM)
		return p
	}
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		p.err = fmt.Errorf("holds no certificate with its key: %s", strings.TrimPrefix(err.Error(), "tls: "))
		return p
	}
	p.leaf = pair.Leaf
	p.certificate = model.Certificate{
		Chain:    pemChain(pair.Certificate),
		NotAfter: pair.Leaf.NotAfter,
		Secret:   model.Object{Kind: "Secret", Namespace: key.Namespace, Name: key.Name},
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		p.err = fmt.Errorf("holds a key of a kind that can't be used: %w", err)
		return p
	}
	p.certificate.Key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	sum := sha256.Sum256(append(bytes.Clone(p.certificate.Chain), p.certificate.Key...))
	p.id = model.CertificateID(hex.EncodeToString(sum[:16]))
	return p
}

// pemChain prints the chain afresh, so that nothing but certificates is in it.
func pemChain(chain [][]byte) []byte {
	var b bytes.Buffer
	for _, der := range chain {
		// Writing to a buffer can't fail.
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	return b.Bytes()
}

// certificates gives each host with TLS its certificate; a host without a
// usable one gets the default, by being left out.
func (t *task) certificates() {
	if key := t.o.DefaultCertificate; key.Name != "" {
		p := t.secret(key)
		if p.err != nil {
			t.problem(model.Object{Kind: "Secret", Namespace: key.Namespace, Name: key.Name}, "", "is the default certificate and "+p.err.Error())
		} else {
			t.serve("", p)
		}
	}
	for name, h := range t.hosts {
		for _, c := range h.tls {
			if t.certify(name, c.ingress) {
				break
			}
		}
		if _, ok := t.result.Config.Hosts[name]; !ok && t.result.Config.Settings.SSLRejectHandshake && name != "" {
			t.result.Config.Hosts[name] = "" // known, with the default certificate
		}
	}
}

func (t *task) serve(host string, p parsedSecret) {
	t.result.Config.Certificates[p.id] = p.certificate
	t.result.Config.Hosts[host] = p.id
}

// certify gives the host the certificate that the Ingress names for it. An
// Ingress that names none leaves the host to the next one.
func (t *task) certify(host string, ing *networkingv1.Ingress) bool {
	for i, section := range ing.Spec.TLS {
		if !listed(host, section.Hosts) || section.SecretName == "" {
			continue
		}
		field := fmt.Sprintf("spec.tls[%d].secretName", i)
		p := t.secret(store.Key{Namespace: ing.Namespace, Name: section.SecretName})
		// What is known to have none gets the default, not that of a wildcard.
		t.result.Config.Hosts[host] = ""
		switch {
		case p.err != nil:
			t.elsewhere(objectOf(ing), field, fmt.Errorf("the Secret %s/%s %w", ing.Namespace, section.SecretName, p.err), "; the default certificate is served")
		case !valid(p.leaf, host):
			t.elsewhere(objectOf(ing), field, fmt.Errorf("the certificate in Secret %s/%s is not for host %q", ing.Namespace, section.SecretName, host), "; the default certificate is served")
		default:
			t.serve(host, p)
		}
		return true
	}
	// No section lists the host: any certificate of the Ingress that is for it
	// will do.
	for _, section := range ing.Spec.TLS {
		if section.SecretName == "" {
			continue
		}
		if p := t.secret(store.Key{Namespace: ing.Namespace, Name: section.SecretName}); p.err == nil && valid(p.leaf, host) {
			t.serve(host, p)
			return true
		}
	}
	return false
}

func listed(host string, hosts []string) bool {
	for _, h := range hosts {
		if strings.EqualFold(h, host) {
			return true
		}
	}
	return false
}

// valid says whether a certificate is for the host: by its alternative names,
// or, where it has none, by its common name.
func valid(leaf *x509.Certificate, host string) bool {
	if leaf.VerifyHostname(host) == nil {
		return true
	}
	return len(leaf.DNSNames) == 0 && matches(leaf.Subject.CommonName, host)
}

func matches(pattern, host string) bool {
	if strings.EqualFold(pattern, host) {
		return true
	}
	parent, wildcard := strings.CutPrefix(pattern, "*.")
	_, rest, ok := strings.Cut(host, ".")
	return wildcard && ok && strings.EqualFold(parent, rest)
}

// wanted is all that the store has to fetch by name.
func (t *task) wanted() {
	w := &t.result.Wanted
	if t.o.ConfigMap.Name != "" {
		t.named[t.o.ConfigMap] = true
	}
	for key := range t.named {
		w.ConfigMaps = append(w.ConfigMaps, key)
	}
	for key := range t.used {
		w.Secrets = append(w.Secrets, key)
	}
}
