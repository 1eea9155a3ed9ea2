package annotation

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// ClientTLS is which client certificates a host asks for. Without a Secret it
// asks for none.
type ClientTLS struct {
	Secret    string // namespace/name
	Verify    string // on, off, optional, optional_no_ca
	Depth     int
	ErrorPage string // a URL or a named location, "" for nginx's own answer
	Pass      bool   // the certificate goes to the backend
	CN        string // an expression for "CN=…", "" for any
}

var namedLocation = regexp.MustCompile(`^@[A-Za-z0-9_-]{1,64}$`)

// errorPage accepts a URL, which it prints afresh, or a named location. nginx
// would look for variables in it.
var errorPage = option.Check[string]{
	Values: "a URL of http or https, or `@` and the name of a location",
	Parse: func(s string) (string, error) {
		if namedLocation.MatchString(s) {
			return s, nil
		}
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || len(s) > 1000 {
			return "", errors.New("is neither a URL of http or https, nor @ and a name")
		}
		for _, c := range u.Host {
			if c <= ' ' || c >= 0x7f || strings.ContainsRune(`"$'\;{}`, c) {
				return "", errors.New("has a host that is none")
			}
		}
		return strings.NewReplacer("$", "%24", "'", "%27", `\`, "%5C", "{", "%7B", "}", "%7D", ";", "%3B", `"`, "%22", " ", "%20").Replace(u.String()), nil
	},
}

// commonName accepts an expression that Go can compile: the dialects of it and
// PCRE agree on what both know, and what PCRE refuses after all is a 403.
var commonName = option.Check[string]{
	Values: "`CN=` and a regular expression, up to 500 characters",
	Parse: func(s string) (string, error) {
		if !strings.HasPrefix(s, "CN=") || len(s) > 500 {
			return "", errors.New("does not start with CN=, or is longer than 500 characters")
		}
		if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\uFFFD' }) {
			return "", errors.New("has a control character")
		}
		if _, err := regexp.Compile(s); err != nil {
			return "", fmt.Errorf("is not a regular expression: %w", err)
		}
		return s, nil
	},
}

var (
	authTLSSecret = option.Key[string]{
		Name: "auth-tls-secret", Risk: option.Medium, Doc: "The Secret whose `ca.crt` signs the client certificates of the host, with its `ca.crl` where it has one. It holds for all paths of the host; where two Ingresses name different ones, the older's counts and the younger answers 503.",
		DefaultDoc: "no client certificate is asked for", Check: SecretName,
	}
	authTLSVerifyClient = option.Key[string]{
		Name: "auth-tls-verify-client", Risk: option.Medium, Doc: "Whether a client certificate is needed (`on`; without it, a request gets a 400, and one without TLS a 403), or only looked at.",
		Default: "on", Check: option.OneOf("on", "off", "optional", "optional_no_ca"),
	}
	authTLSVerifyDepth = option.Key[int]{
		Name: "auth-tls-verify-depth", Doc: "How long the chain from the client's certificate to the CA may be.",
		Default: 1, Check: option.Int(1, 100),
	}
	authTLSErrorPage = option.Key[string]{
		Name: "auth-tls-error-page", Risk: option.High, Doc: "Where a client without a valid certificate is sent in place of the 400.",
		DefaultDoc: "none", Check: errorPage,
	}
	authTLSPass = option.Key[bool]{
		Name: "auth-tls-pass-certificate-to-upstream", Doc: "Sends the client's certificate to the backend, as URL-encoded PEM in the header ssl-client-cert.",
		Check: option.Bool,
	}
	authTLSMatchCN = option.Key[string]{
		Name: "auth-tls-match-cn", Risk: option.High, Doc: "What the common name of the client's certificate has to match; others get a 403. It is compared with `CN=` and the common name alone, not with the whole subject, in which another attribute could look like it.",
		DefaultDoc: "any", Check: commonName,
	}
)

func readClientTLS(r *option.Reader) ClientTLS {
	c := ClientTLS{
		Secret:    lookup(r, authTLSSecret),
		Verify:    authTLSVerifyClient.Get(r),
		Depth:     authTLSVerifyDepth.Get(r),
		ErrorPage: lookup(r, authTLSErrorPage),
		Pass:      authTLSPass.Get(r),
		CN:        lookup(r, authTLSMatchCN),
	}
	if c.Secret == "" {
		return ClientTLS{}
	}
	return c
}
