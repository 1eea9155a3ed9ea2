package metrics

import (
	"crypto/x509"
	"encoding/pem"
	"maps"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// certificates shows when the certificates end, and whose they are.
type certificates struct {
	class        string
	expire, info *prometheus.Desc

	mu     sync.Mutex
	byHost map[string]model.Certificate
	// leaves are the parsed ones, by where their chain begins: the build keeps
	// a chain for as long as its Secret stays the same, and so many hosts may
	// share one that parsing it for each host and scrape would cost seconds.
	leaves map[*byte]*x509.Certificate
}

func newCertificates(class string) *certificates {
	return &certificates{
		class:  class,
		expire: desc("ssl_expire_time_seconds", perCertificate, nil),
		info:   desc("ssl_certificate_info", named("ssl_certificate_info").Labels, nil),
	}
}

// Certificates notes which certificate each host is served with; "" is all
// other hosts.
func (m *Metrics) Certificates(byHost map[string]model.Certificate) {
	m.certificates.mu.Lock()
	defer m.certificates.mu.Unlock()
	m.certificates.byHost = maps.Clone(byHost)
}

// Describe is part of prometheus.Collector.
func (c *certificates) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.expire
	ch <- c.info
}

// Collect is part of prometheus.Collector.
func (c *certificates) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	leaves := make(map[*byte]*x509.Certificate, len(c.leaves))
	for host, certificate := range c.byHost {
		if len(certificate.Chain) == 0 {
			continue
		}
		chain := &certificate.Chain[0]
		if _, known := leaves[chain]; !known {
			leaves[chain] = c.leaves[chain]
			if leaves[chain] == nil {
				leaves[chain] = parse(certificate.Chain)
			}
		}
		if leaf := leaves[chain]; leaf != nil {
			c.show(ch, host, certificate.Secret, leaf)
		}
	}
	c.leaves = leaves
}

// parse returns nil for what is no certificate; the build lets none pass.
func parse(chain []byte) *x509.Certificate {
	block, _ := pem.Decode(chain)
	if block == nil {
		return nil
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return leaf
}

func (c *certificates) show(ch chan<- prometheus.Metric, host string, secret model.Object, leaf *x509.Certificate) {
	if host == "" {
		host = "_" // as ingress-nginx calls it
	}
	serial := leaf.SerialNumber.String()
	// The first half is a part of the issuer's name, most often "", and not
	// the issuer's own number.
	identifier := text(leaf.Issuer.SerialNumber) + "-" + serial
	labels := []string{secret.Namespace, c.class, host, secret.Name, identifier}
	ch <- prometheus.MustNewConstMetric(c.expire, prometheus.GaugeValue, float64(leaf.NotAfter.Unix()), labels...)
	organization := ""
	if len(leaf.Issuer.Organization) > 0 {
		organization = leaf.Issuer.Organization[0]
	}
	ch <- prometheus.MustNewConstMetric(c.info, prometheus.GaugeValue, 1,
		append(labels, text(organization), text(leaf.Issuer.CommonName), serial, leaf.PublicKeyAlgorithm.String())...)
}

// text is what somebody else wrote, fit for a label: one that is not UTF-8
// would cost all the others.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
