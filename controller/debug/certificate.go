package debug

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// fromPEM reads the certificates of a chain, and nothing else that may stand
// between them.
func fromPEM(chain []byte) []*x509.Certificate {
	var all []*x509.Certificate
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			all = append(all, c)
		}
	}
	return all
}

// certificate is what a host's clients are shown, in words and in PEM.
func (v View) certificate(host string) (any, error) {
	id, name, err := v.certificateOf(strings.ToLower(strings.TrimSuffix(host, ".")))
	if err != nil {
		return nil, err
	}
	c, ok := v.Config.Certificates[id]
	if !ok {
		return nil, fmt.Errorf("%s has no certificate of its own, and there is no default one: clients are shown the self-signed one that is made at start", name)
	}
	var b bytes.Buffer
	secret := c.Secret.Namespace + "/" + c.Secret.Name
	fmt.Fprintf(&b, "# %s: Secret %s\n", name, secret)
	for _, x := range fromPEM(c.Chain) {
		sum := sha256.Sum256(x.Raw)
		fmt.Fprintf(&b, "# subject: %s\n# issuer: %s\n", x.Subject, x.Issuer)
		if len(x.DNSNames) > 0 {
			fmt.Fprintf(&b, "# names: %s\n", strings.Join(x.DNSNames, " "))
		}
		fmt.Fprintf(&b, "# valid: %s to %s\n# serial: %x\n# sha256: %s\n", x.NotBefore.UTC().Format("2006-01-02T15:04:05Z"),
			x.NotAfter.UTC().Format("2006-01-02T15:04:05Z"), x.SerialNumber, hex.EncodeToString(sum[:]))
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x.Raw}))
	}
	return b.Bytes(), nil
}

// certificateOf finds what the Lua of nginx finds: the host's own, that of the
// wildcard which has the host, or that of all others, which "_" asks for. The
// name says which.
func (v View) certificateOf(host string) (id model.CertificateID, name string, err error) {
	others := v.Config.Hosts[""]
	if host == "_" {
		return others, "all other hosts", nil
	}
	id, known := v.Config.Hosts[host]
	name = host
	if _, parent, ok := strings.Cut(host, "."); ok && !known {
		name = "*." + parent
		id, known = v.Config.Hosts[name]
	}
	if id != "" {
		return id, name, nil
	}
	if !known && !v.serves(host) {
		return "", "", fmt.Errorf("no Ingress has the host %q; its clients are shown the certificate of all others, which is that of the host _", host)
	}
	return others, host + ", by default", nil
}

func (v View) serves(host string) bool {
	return slices.ContainsFunc(v.Config.Servers, func(s model.Server) bool {
		return s.Host == host || s.WWWHost == host || slices.Contains(s.Aliases, host)
	})
}
