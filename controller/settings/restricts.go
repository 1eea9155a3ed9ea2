package settings

import (
	"slices"
	"strings"
)

// Restricts says whether a key may keep somebody out: by itself, as snippets can,
// or by telling who a client is. Without it, some could come in who should not.
func Restricts(key string) bool {
	if strings.HasPrefix(key, "global-auth-") || strings.HasPrefix(key, "block-") || strings.HasSuffix(key, "-snippet") {
		return true
	}
	return slices.Contains([]string{
		"whitelist-source-range", "denylist-source-range", "no-auth-locations",
		"use-proxy-protocol", "use-forwarded-headers", "enable-real-ip", "proxy-real-ip-cidr", "forwarded-for-header",
		"bind-address", "disable-ipv6", "ssl-protocols", "ssl-ciphers", "ssl-reject-handshake", "ssl-redirect", "force-ssl-redirect", "hide-headers",
		"enable-modsecurity", "enable-owasp-modsecurity-crs",
		"annotations-risk-level", "annotation-value-word-blocklist", "allow-snippet-annotations", "allow-cross-namespace-resources", "strict-validate-path-type",
	}, key)
}
