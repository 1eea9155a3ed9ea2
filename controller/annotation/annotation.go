// Package annotation turns the annotations of one Ingress into typed values.
//
// It gets strings and returns values: it reads no other object, so a reference
// to one is a name here, which the build looks up. It may not fail: what is
// wrong is a problem, and the rest stays.
package annotation

import (
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// DefaultPrefix is what the names start with unless --annotations-prefix says
// otherwise; a slash comes between.
const DefaultPrefix = "nginx.ingress.kubernetes.io"

// Values is what the annotations of one Ingress ask for, by feature. It is
// comparable: equal values render equal bytes.
type Values struct {
	Redirect    Redirect
	Proxy       Proxy
	Rewrite     Rewrite
	Alias       Alias
	Errors      Errors
	Headers     Headers
	Logs        Logs
	Cookie      Cookie
	Access      Access
	BasicAuth   BasicAuth
	ClientTLS   ClientTLS
	Auth        Auth
	Canary      Canary
	Affinity    Affinity
	Balance     Balance
	Protocol    Protocol
	ProxySSL    ProxySSL
	Mirror      Mirror
	TLS         TLS
	Limit       Limit
	CORS        CORS
	Tracing     Tracing
	ModSecurity ModSecurity
	Snippet     Snippet
	// Invalid is set where a value is wrong: the Ingress's last good version is
	// to stay in force.
	Invalid bool
	// Closed is set where an annotation restricts access in a way that is not
	// in force: the Ingress's locations must not be served without it.
	Closed bool
	// Restricts is set where an annotation restricts access at all.
	Restricts bool
}

// A Policy is what the cluster's operator lets annotations say. It is
// comparable: values are read again where it has changed.
type Policy struct {
	option.Policy
	Snippets bool // directives of nginx, checked one by one
}

// Parse reads all features' keys. The problems' keys are full names.
func Parse(annotations map[string]string, prefix string, policy Policy) (Values, []option.Problem) {
	r := option.NewReader(annotations, prefix+"/").Within(policy.Policy)
	v := read(r, policy)
	for _, name := range r.Unasked() {
		if restricts(name) {
			v.Closed = true
			r.Warn(name, "is not supported by this version, and its Ingress answers 503 rather than be served without it")
			continue
		}
		r.Warn(name, "is not supported by this version and has no effect")
	}
	for full, text := range annotations {
		name, ours := strings.CutPrefix(full, prefix+"/")
		v.Restricts = v.Restricts || ours && text != "" && restricts(name)
	}
	for _, p := range r.Problems() {
		if !p.Warning {
			v.Invalid = true
			v.Closed = v.Closed || restricts(strings.TrimPrefix(p.Key, prefix+"/"))
		}
	}
	return v, r.Problems()
}

// Docs are the entries of the reference page.
func Docs() []option.Doc { return option.Docs(func(r *option.Reader) { read(r, Policy{}) }) }

// read is the list of features.
func read(r *option.Reader, policy Policy) Values {
	return Values{
		Redirect:    readRedirect(r),
		Proxy:       readProxy(r),
		Rewrite:     readRewrite(r),
		Alias:       readAlias(r),
		Errors:      readErrors(r),
		Headers:     readHeaders(r),
		Logs:        readLogs(r),
		Cookie:      readCookie(r),
		Access:      readAccess(r),
		BasicAuth:   readBasicAuth(r),
		ClientTLS:   readClientTLS(r),
		Auth:        readAuth(r),
		Canary:      readCanary(r),
		Affinity:    readAffinity(r),
		Balance:     readBalance(r),
		Protocol:    readProtocol(r),
		ProxySSL:    readProxySSL(r),
		Mirror:      readMirror(r),
		TLS:         readTLS(r),
		Limit:       readLimit(r),
		CORS:        readCORS(r),
		Tracing:     readTracing(r),
		ModSecurity: readModSecurity(r),
		Snippet:     readSnippet(r, policy.Snippets),
	}
}

// verifies are the annotations without which an endpoint is believed that
// should not be.
var verifies = []string{"proxy-ssl-secret", "proxy-ssl-verify", "proxy-ssl-verify-depth", "proxy-ssl-name"}

// restricts says whether an annotation of that name lets fewer requests
// through than its absence does.
func restricts(name string) bool {
	return strings.HasPrefix(name, "auth-") && name != "auth-realm" ||
		strings.HasSuffix(name, "-source-range") || name == "satisfy" ||
		slices.Contains(verifies, name) ||
		name == "enable-modsecurity" || name == "enable-owasp-core-rules" || name == "modsecurity-snippet"
}
