package annotation

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Redirect says which requests are sent elsewhere, and how redirects of
// endpoints and of nginx itself are worded.
type Redirect struct {
	SSL           Tristate // to https
	Force         Tristate
	TrailingSlash Tristate

	To   option.List // a Template of an URL; "": nowhere
	Code int

	Relative Tristate
	Port     Tristate
	From     string // what proxy_redirect replaces
	By       string // and by what
}

// Tristate is a switch that may be left to the ConfigMap.
type Tristate int8

// The states of a Tristate.
const (
	Unset Tristate = iota
	Off
	On
)

// Or is the switch's state, or other where it is unset.
func (t Tristate) Or(other bool) bool {
	if t == Unset {
		return other
	}
	return t == On
}

// String is the switch's state as nginx writes it, "" where it is unset.
func (t Tristate) String() string { return [...]string{"", "off", "on"}[t] }

var (
	sslRedirect = option.Key[bool]{
		Name:       "ssl-redirect",
		Doc:        "Redirects requests without TLS to https, where the host has a TLS section.",
		DefaultDoc: "as in the ConfigMap (`true`)",
		Check:      option.Bool,
	}
	forceSSLRedirect = option.Key[bool]{
		Name:       "force-ssl-redirect",
		Risk:       option.Medium,
		Doc:        "Redirects requests without TLS to https even where the host has no TLS section.",
		DefaultDoc: "as in the ConfigMap (`false`)",
		Check:      option.Bool,
	}
	preserveTrailingSlash = option.Key[bool]{
		Name:       "preserve-trailing-slash",
		Risk:       option.Medium,
		Doc:        "Keeps the slash at the end of the redirect to https.",
		DefaultDoc: "as in the ConfigMap (`false`)",
		Check:      option.Bool,
	}
)

var (
	permanentRedirect = option.Key[option.List]{
		Name: "permanent-redirect", Check: redirectTarget, DefaultDoc: "none", Risk: option.Medium,
		Doc: "Redirects every request to this URL, before anything else is done with it.",
	}
	permanentRedirectCode = option.Key[int]{
		Name: "permanent-redirect-code", Default: 301, Check: codeFrom(300, 308),
		Doc: "The status of permanent-redirect. One that is out of range is 301.",
	}
	temporalRedirect = option.Key[option.List]{
		Name: "temporal-redirect", Check: redirectTarget, DefaultDoc: "none", Risk: option.Medium,
		Doc: "The same as permanent-redirect, with another status; it comes first where both are set.",
	}
	temporalRedirectCode = option.Key[int]{
		Name: "temporal-redirect-code", Default: 302, Check: codeFrom(300, 307),
		Doc: "The status of temporal-redirect. One that is out of range is 302.",
	}
	relativeRedirects = option.Key[bool]{
		Name: "relative-redirects", Check: option.Bool, DefaultDoc: inConfigMap + " (`false`)",
		Doc: "Leaves scheme and host out of redirects that nginx makes by itself, such as the one to a slash at the end.",
	}
	usePortInRedirects = option.Key[bool]{
		Name: "use-port-in-redirects", Check: option.Bool, DefaultDoc: inConfigMap + " (`false`)",
		Doc: "Tells the port in redirects that nginx makes by itself.",
	}
	proxyRedirectFrom = option.Key[string]{
		Name: "proxy-redirect-from", Check: redirectWord, DefaultDoc: inConfigMap + " (`off`)", Risk: option.Medium,
		Doc: "What an endpoint's Location and Refresh headers begin with that proxy-redirect-to takes the place of; `off` leaves them, `default` needs no proxy-redirect-to.",
	}
	proxyRedirectTo = option.Key[string]{
		Name: "proxy-redirect-to", Check: redirectWord, DefaultDoc: inConfigMap + " (`off`)", Risk: option.Medium,
		Doc: "What takes the place of proxy-redirect-from.",
	}
)

// redirectVariables are those that a redirect's target may name.
var redirectVariables = []string{"host", "http_host", "request_uri", "scheme", "uri", "args", "is_args", "query_string", "server_port", "1"}

var redirectText = regexp.MustCompile(`^[!#-&(-;=?-Z_a-z~\[\]]*$`)

// redirectTarget accepts an absolute URL, in which variables may stand.
var redirectTarget = option.Check[option.List]{
	Values: "an http or https URL; `$host`, `$http_host`, `$request_uri`, `$scheme`, `$uri`, `$args`, `$is_args`, `$query_string` and `$server_port` stand for the request's; in the name of the host only `$host`, `$http_host` and `$server_port` do",
	Parse: func(s string) (option.List, error) {
		if len(s) > 2000 || !redirectText.MatchString(s) {
			return "", fmt.Errorf("%.80q has characters that an URL has not, or is longer than 2000 bytes", s)
		}
		parts, err := option.Template(s, redirectVariables...)
		if err != nil {
			return "", err
		}
		_, authority, _ := strings.Cut(s, "://")
		authority = afterAuthority.Split(authority, 2)[0]
		if _, err := option.Template(authority, authorityVariables...); err != nil {
			return "", fmt.Errorf("%.80q lets a request choose the host: %w", s, err)
		}
		plain := strings.Replace(s, "$scheme://", "http://", 1)
		plain = regexp.MustCompile(`\$[a-z_0-9]+`).ReplaceAllString(plain, "x")
		u, err := url.Parse(plain)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
			return "", fmt.Errorf("%.80q is no http or https URL", s)
		}
		return parts, nil
	},
}

// authorityVariables are those that may stand in the name of the target's host:
// with others a request could make it another host's.
var authorityVariables = []string{"host", "http_host", "server_port"}

// afterAuthority is what a path or arguments begin with, be it in a variable.
var afterAuthority = regexp.MustCompile(`[/?#]|\$(request_)?uri\b|\$is_args\$(args|query_string)\b`)

// codeFrom accepts any number: ingress-nginx took its default for what is out
// of range.
func codeFrom(least, most int) option.Check[int] {
	return option.Check[int]{
		Values: fmt.Sprintf("a whole number from %d to %d", least, most),
		Parse: func(s string) (int, error) {
			n, err := option.Int(-1<<31, 1<<31-1).Parse(s)
			if err != nil || n < least || n > most {
				return 0, err
			}
			return n, nil
		},
	}
}

// redirectWord accepts one word of proxy_redirect: a prefix of an URL, in which
// nginx would take a $ for a variable, and a ~ for an expression.
var redirectWord = option.Pattern(`[-!%&()*+,./:=?@A-Za-z0-9_][-!%&()*+,./:=?@A-Za-z0-9_~]*`, "an URL or a part of one")

func readRedirect(r *option.Reader) Redirect {
	v := Redirect{
		SSL:           tristate(r, sslRedirect),
		Force:         tristate(r, forceSSLRedirect),
		TrailingSlash: tristate(r, preserveTrailingSlash),
		Relative:      tristate(r, relativeRedirects),
		Port:          tristate(r, usePortInRedirects),
		From:          lookup(r, proxyRedirectFrom),
		By:            lookup(r, proxyRedirectTo),
	}
	permanent, temporal := lookup(r, permanentRedirect), lookup(r, temporalRedirect)
	permanentCode, temporalCode := permanentRedirectCode.Get(r), temporalRedirectCode.Get(r)
	switch {
	case temporal != "":
		v.To, v.Code = temporal, cmp.Or(temporalCode, temporalRedirectCode.Default)
	case permanent != "":
		v.To, v.Code = permanent, cmp.Or(permanentCode, permanentRedirectCode.Default)
	}
	return v
}

func tristate(r *option.Reader, k option.Key[bool]) Tristate {
	switch v, ok := k.Lookup(r); {
	case !ok:
		return Unset
	case v:
		return On
	}
	return Off
}
