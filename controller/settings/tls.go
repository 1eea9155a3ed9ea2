package settings

import (
	"time"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// defaultCiphers are Mozilla's intermediate list for TLS 1.2 (guideline 5.7);
// TLS 1.3 has its own.
const defaultCiphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" +
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384"

func readTLS(r *option.Reader, s *model.Settings) {
	s.SSLProtocols = text(r, "ssl-protocols", "TLSv1.2 TLSv1.3", option.Words("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"), "The versions of TLS that clients may use.")
	s.SSLCiphers = text(r, "ssl-ciphers", defaultCiphers, option.Ciphers, "The ciphers for TLS up to 1.2.")
	s.SSLECDHCurve = text(r, "ssl-ecdh-curve", "auto", curves, "The curves for the key exchange.")
	s.SSLSessionCache = flag(r, "ssl-session-cache", true, "Lets workers share TLS sessions, for shorter handshakes.")
	s.SSLSessionSize = text(r, "ssl-session-cache-size", "10m", option.SizeFrom(1<<16, 1<<34), "The size of that cache in bytes.")
	s.SSLSessionTimeout = duration(r, "ssl-session-timeout", 10*time.Minute, "How long a TLS session may be taken up again.")
	s.SSLSessionTickets = flag(r, "ssl-session-tickets", false, "Gives clients TLS session tickets.")
	s.SSLBufferSize = text(r, "ssl-buffer-size", "4k", bufferSize, "The buffer, in bytes, for sending with TLS.")
	s.SSLRejectHandshake = flag(r, "ssl-reject-handshake", false, "Refuses TLS for hosts that no Ingress names, in place of the default certificate.")
}

func readHSTS(r *option.Reader, s *model.Settings) {
	s.HSTS = flag(r, "hsts", true, "Sends Strict-Transport-Security on https.")
	s.HSTSMaxAge = number(r, "hsts-max-age", 31536000, 0, 1<<31-1, "Its max-age in seconds.")
	s.HSTSIncludeSubdomains = flag(r, "hsts-include-subdomains", true, "Adds includeSubDomains to it.")
	s.HSTSPreload = flag(r, "hsts-preload", false, "Adds preload to it.")
}
