package metrics

import (
	"crypto/x509"
	"encoding/pem"
	"maps"
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
}

func newCertificates(class string) *certificates {
	return &certificates{
		class: class,
		expire: prometheus.NewDesc(prometheus.BuildFQName(prefix, "", "ssl_expire_time_seconds"),
			"When the certificate of a host ends, in Unix time.",
			[]string{"namespace", "class", "host", "secret_name", "identifier"}, nil),
		info: prometheus.NewDesc(prometheus.BuildFQName(prefix, "", "ssl_certificate_info"),
			"Whose the certificate of a host is; always 1.",
			[]string{"namespace", "class", "host", "secret_name", "identifier", "issuer_organization", "issuer_common_name", "serial_number", "public_key_algorithm"}, nil),
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
	byHost := c.byHost
	c.mu.Unlock()
	for host, certificate := range byHost {
		if host == "" {
			host = "_"
		}
		block, _ := pem.Decode(certificate.Chain)
		if block == nil {
			continue
		}
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue // the build has parsed it before
		}
		secret := certificate.Secret
		serial := leaf.SerialNumber.String()
		identifier := secret.Namespace + "-" + secret.Name + "-" + serial
		labels := []string{secret.Namespace, c.class, host, secret.Name, identifier}
		ch <- prometheus.MustNewConstMetric(c.expire, prometheus.GaugeValue, float64(leaf.NotAfter.Unix()), labels...)
		organization := ""
		if len(leaf.Issuer.Organization) > 0 {
			organization = leaf.Issuer.Organization[0]
		}
		ch <- prometheus.MustNewConstMetric(c.info, prometheus.GaugeValue, 1,
			append(labels, organization, leaf.Issuer.CommonName, serial, leaf.PublicKeyAlgorithm.String())...)
	}
}
