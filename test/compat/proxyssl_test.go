package compat

import (
	"crypto/tls"
	"fmt"
	"testing"
)

func proxySSLGroup() group {
	with := func(more map[string]string) map[string]string {
		all := map[string]string{"backend-protocol": "HTTPS", "proxy-ssl-secret": "pair"}
		for key, value := range more {
			all[key] = value
		}
		return all
	}
	verified := map[string]string{"proxy-ssl-verify": "on", "proxy-ssl-name": "inner.example.org"}
	return group{name: "proxyssl", objects: proxySSLObjects, cases: []proof{
		{keys: []string{"proxy-ssl-secret"}, service: "secure", annotations: with(nil), probes: []probe{seesPart("client=us.example.org ")}},
		{
			keys: []string{"proxy-ssl-verify"}, service: "secure", annotations: with(map[string]string{"proxy-ssl-verify": "on", "proxy-ssl-name": "other.example.org"}),
			probes: []probe{gets("/", "502")},
		},
		{keys: []string{"proxy-ssl-name"}, service: "secure", annotations: with(verified), probes: []probe{gets("/", "200")}},
		{keys: []string{"proxy-ssl-verify"}, service: "stranger", annotations: with(verified), probes: []probe{gets("/", "502")}},
		{
			keys: []string{"proxy-ssl-verify-depth"}, service: "secure",
			annotations: with(map[string]string{"proxy-ssl-verify": "on", "proxy-ssl-name": "inner.example.org", "proxy-ssl-verify-depth": "0"}),
			probes:      []probe{gets("/", "502")},
		},
		{
			keys: []string{"proxy-ssl-server-name"}, service: "secure", annotations: with(map[string]string{"proxy-ssl-server-name": "on", "proxy-ssl-name": "sni.example.org"}),
			probes: []probe{seesPart("name=sni.example.org ")},
		},
		{keys: []string{"proxy-ssl-protocols"}, service: "secure", annotations: with(map[string]string{"proxy-ssl-protocols": "TLSv1.2"}), probes: []probe{seesPart("TLS 1.2")}},
		{
			keys: []string{"proxy-ssl-ciphers"}, service: "secure",
			annotations: with(map[string]string{"proxy-ssl-protocols": "TLSv1.2", "proxy-ssl-ciphers": "ECDHE-ECDSA-CHACHA20-POLY1305"}),
			probes:      []probe{seesPart("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256")},
		},
		// Verifying without anything to verify by closes, rather than serve.
		{
			keys: []string{"proxy-ssl-verify"}, service: "secure", annotations: map[string]string{"backend-protocol": "HTTPS", "proxy-ssl-verify": "on"},
			probes: []probe{gets("/", "503")},
		},
	}}
}

func proxySSLObjects(t *testing.T, g *site) string {
	ours, theirs := newPKI(t), newPKI(t)
	serveTLS(t, g.address(10)+":8080", &tls.Config{Certificates: []tls.Certificate{ours.pair("inner.example.org")}, ClientAuth: tls.RequestClientCert})
	serveTLS(t, g.address(11)+":8080", &tls.Config{Certificates: []tls.Certificate{theirs.pair("inner.example.org")}, ClientAuth: tls.RequestClientCert})
	return ours.secret("pair", ours.pair("us.example.org")) + service("secure", g.address(10)) + "---\n" + service("stranger", g.address(11))
}

// seesPart asks a server of serveTLS and wants a part of what it says.
func seesPart(part string) probe {
	return probe{"what is seen", func(c client) string { return holds(c.get("/").Body, part) }, part}
}

func holds(text, part string) string {
	for i := range len(text) - len(part) + 1 {
		if text[i:i+len(part)] == part {
			return part
		}
	}
	return fmt.Sprintf("%q without it", text)
}
