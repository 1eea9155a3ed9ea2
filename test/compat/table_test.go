package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
)

// names are all annotations of ingress-nginx v1.15.1, from its documentation.
var names = strings.Fields(`
affinity affinity-canary-behavior affinity-mode allowlist-source-range whitelist-source-range app-root auth-always-set-cookie
auth-cache-duration auth-cache-key auth-keepalive auth-keepalive-requests auth-keepalive-share-vars auth-keepalive-timeout
auth-method auth-proxy-set-headers auth-realm auth-request-redirect auth-response-headers auth-secret auth-secret-type
auth-signin auth-signin-redirect-param auth-snippet auth-tls-error-page auth-tls-match-cn auth-tls-pass-certificate-to-upstream
auth-tls-secret auth-tls-verify-client auth-tls-verify-depth auth-type auth-url backend-protocol canary canary-by-cookie
canary-by-header canary-by-header-pattern canary-by-header-value canary-weight canary-weight-total client-body-buffer-size
configuration-snippet connection-proxy-header cors-allow-credentials cors-allow-headers cors-allow-methods cors-allow-origin
cors-expose-headers cors-max-age custom-headers custom-http-errors default-backend denylist-source-range
disable-proxy-intercept-errors enable-access-log enable-cors enable-global-auth enable-modsecurity enable-opentelemetry
enable-owasp-core-rules enable-rewrite-log fastcgi-index fastcgi-params-configmap force-ssl-redirect from-to-www-redirect
http2-push-preload limit-allowlist limit-whitelist limit-burst-multiplier limit-connections limit-rate limit-rate-after limit-rpm
limit-rps load-balance mirror-host mirror-request-body mirror-target modsecurity-snippet modsecurity-transaction-id
opentelemetry-operation-name opentelemetry-trust-incoming-span permanent-redirect permanent-redirect-code
preserve-trailing-slash proxy-body-size proxy-buffer-size proxy-buffering proxy-buffers-number proxy-busy-buffers-size
proxy-connect-timeout proxy-cookie-domain proxy-cookie-path proxy-http-version proxy-max-temp-file-size proxy-next-upstream
proxy-next-upstream-timeout proxy-next-upstream-tries proxy-read-timeout proxy-redirect-from proxy-redirect-to
proxy-request-buffering proxy-send-timeout proxy-ssl-ciphers proxy-ssl-name proxy-ssl-protocols proxy-ssl-secret
proxy-ssl-server-name proxy-ssl-verify proxy-ssl-verify-depth relative-redirects rewrite-target satisfy server-alias
server-snippet service-upstream session-cookie-change-on-failure session-cookie-conditional-samesite-none
session-cookie-domain session-cookie-expires session-cookie-max-age session-cookie-name session-cookie-path
session-cookie-samesite session-cookie-secure ssl-ciphers ssl-passthrough ssl-prefer-server-ciphers ssl-redirect stream-snippet
temporal-redirect temporal-redirect-code upstream-hash-by upstream-hash-by-subset upstream-hash-by-subset-size upstream-vhost
use-port-in-redirects use-regex x-forwarded-prefix
`)

// examples are all of them.
func examples(t *testing.T) string {
	files, err := filepath.Glob("../examples/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no examples: ", err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// TestTable prints which case proves which key, and holds that each has one, and
// an example, and that no key is read that is not of ingress-nginx.
func TestTable(t *testing.T) {
	by := map[string][]string{}
	for _, g := range groups() {
		for i, p := range g.cases {
			for _, key := range p.keys {
				by[key] = append(by[key], fmt.Sprintf("%s %d", g.name, i))
				if !slices.Contains(names, key) && !strings.Contains(key, "/") {
					t.Errorf("%s %d: %s is no annotation of ingress-nginx", g.name, i, key)
				}
			}
		}
	}
	var b strings.Builder
	shown := examples(t)
	proven := 0
	for _, name := range names {
		cases := strings.Join(by[name], ", ")
		if cases == "" {
			t.Errorf("%s is proven by no case", name)
		} else {
			proven++
		}
		if !strings.Contains(shown, prefix+name+":") {
			t.Errorf("%s is in no example", name)
		}
		fmt.Fprintf(&b, "%-44s %s\n", name, cases)
	}
	for _, doc := range annotation.Docs() {
		if !slices.Contains(names, doc.Name) && !strings.HasPrefix(doc.Name, "sallyport.io/") {
			t.Errorf("%s is read, and is no annotation of ingress-nginx", doc.Name)
		}
	}
	t.Logf("%d of %d keys are proven\n%s", proven, len(names), b.String())
}
