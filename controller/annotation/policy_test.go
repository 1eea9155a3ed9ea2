package annotation

import (
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// risks are the grades that ingress-nginx published; what is not here is Low.
var risks = map[option.Risk]string{
	option.Medium: `affinity-mode allowlist-source-range whitelist-source-range app-root auth-cache-duration auth-cache-key
		auth-proxy-set-headers auth-realm auth-request-redirect auth-response-headers auth-secret auth-signin-redirect-param
		auth-tls-secret auth-tls-verify-client canary-by-cookie canary-by-header canary-by-header-pattern canary-by-header-value
		cors-allow-headers cors-allow-methods cors-allow-origin cors-expose-headers custom-headers denylist-source-range
		fastcgi-index fastcgi-params-configmap force-ssl-redirect opentelemetry-operation-name permanent-redirect
		preserve-trailing-slash proxy-body-size proxy-cookie-domain proxy-cookie-path proxy-next-upstream proxy-redirect-from
		proxy-redirect-to proxy-ssl-ciphers proxy-ssl-secret rewrite-target session-cookie-domain session-cookie-expires
		session-cookie-max-age session-cookie-name session-cookie-path temporal-redirect x-forwarded-prefix`,
	option.High: `auth-url auth-signin auth-tls-error-page auth-tls-match-cn mirror-target mirror-host modsecurity-transaction-id
		proxy-ssl-name server-alias upstream-hash-by`,
	option.Critical: `auth-snippet configuration-snippet modsecurity-snippet server-snippet stream-snippet`,
}

// A key without its grade would be let through where the operator allows less.
func TestRisks(t *testing.T) {
	want := map[string]option.Risk{}
	for risk, names := range risks {
		for name := range strings.FieldsSeq(names) {
			want[name] = risk
		}
	}
	for _, doc := range Docs() {
		if doc.Risk != want[doc.Name] {
			t.Errorf("%s is of risk %s, not %s", doc.Name, want[doc.Name], doc.Risk)
		}
	}
}

func TestPolicy(t *testing.T) {
	const key = DefaultPrefix + "/proxy-body-size"
	for _, c := range []struct {
		policy option.Policy
		value  string
		want   string
	}{
		{option.Policy{Most: option.High}, "20m", ""},
		{option.Policy{Most: option.Low}, "20m", "is of risk Medium, and annotations-risk-level allows none above Low"},
		{option.Policy{Most: option.High, Blocked: "evil\n20m"}, "20m", `"20m" has "20m" in it, which annotation-value-word-blocklist forbids`},
		{option.Policy{Most: option.High, Blocked: "evil"}, "20m", ""},
	} {
		v, problems := Parse(map[string]string{key: c.value}, DefaultPrefix, Policy{Policy: c.policy})
		switch {
		case c.want == "" && (len(problems) > 0 || v.Proxy.BodySize != c.value):
			t.Errorf("%+v: %+v, %+v", c.policy, v.Proxy, problems)
		case c.want != "" && (len(problems) != 1 || problems[0].Reason != c.want || problems[0].Key != key || !v.Invalid || v.Proxy.BodySize != ""):
			t.Errorf("%+v: %+v, %+v", c.policy, v, problems)
		}
	}
}
