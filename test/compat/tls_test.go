package compat

import (
	"crypto/tls"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func tlsGroup() group {
	const aes, chacha = tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
	// negotiates shakes hands, and wants a cipher and a certificate.
	negotiates := func(want string) probe {
		return probe{"the handshake", func(c client) string {
			r := c.do(cluster.Request{URL: "https://HOST/", TLS: &tls.Config{
				InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{chacha, aes},
			}})
			return tls.CipherSuiteName(r.TLS.CipherSuite) + " " + r.TLS.PeerCertificates[0].Subject.CommonName
		}, want}
	}
	return group{name: "tls", flags: []string{"--enable-ssl-passthrough", "--default-ssl-certificate=default/pair"}, objects: tlsObjects, cases: []proof{
		{
			keys: []string{"ssl-ciphers"}, annotations: map[string]string{"ssl-ciphers": "ECDHE-ECDSA-CHACHA20-POLY1305"},
			probes: []probe{negotiates("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 default.example.org")},
		},
		{
			keys:        []string{"ssl-prefer-server-ciphers"},
			annotations: map[string]string{"ssl-prefer-server-ciphers": "false", "ssl-ciphers": "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384"},
			probes:      []probe{negotiates("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 default.example.org")},
		},
		{
			keys: []string{"ssl-passthrough"}, annotations: map[string]string{"ssl-passthrough": "true"}, service: "secure",
			probes: []probe{{"the handshake", func(c client) string {
				r := c.do(cluster.Request{URL: "https://HOST/"})
				return r.TLS.PeerCertificates[0].Subject.CommonName
			}, "inner.example.org"}},
		},
		// The client's address is kept for the hosts behind the same port.
		{
			keys: []string{"ssl-ciphers"}, annotations: map[string]string{"ssl-ciphers": "ECDHE-ECDSA-CHACHA20-POLY1305"},
			probes: []probe{negotiates("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 default.example.org"), {"the client's address", func(c client) string {
				seen := c.do(cluster.Request{URL: "https://HOST/"}).Seen
				return seen.Header.Get("X-Real-Ip") + " " + seen.Header.Get("X-Forwarded-Proto")
			}, "127.0.0.1 https"}},
		},
	}}
}

func tlsObjects(t *testing.T, g *site) string {
	p := newPKI(t)
	serveTLS(t, g.address(10)+":8080", &tls.Config{Certificates: []tls.Certificate{p.pair("inner.example.org")}})
	return p.secret("pair", p.pair("default.example.org")) + service("secure", g.address(10))
}
