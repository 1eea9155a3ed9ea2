package annotation

import (
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Affinity is how a client keeps its endpoint: by a cookie.
type Affinity struct {
	Cookie          bool
	Persistent      bool
	Legacy          bool // the cookie does not decide between a canary and what it is one of
	Name            string
	Path            string
	Domain          string
	Expires         int // seconds; 0: with the session
	MaxAge          int // seconds; 0: none
	SameSite        string
	ConditionalNone bool
	Secure          bool
	ChangeOnFailure bool
}

var sameSites = option.Check[string]{
	Values: "one of `None`, `Lax`, `Strict`, in any case",
	Parse: func(s string) (string, error) {
		word, err := option.OneOf("none", "lax", "strict").Parse(strings.ToLower(s))
		if err != nil {
			return "", err
		}
		return strings.ToUpper(word[:1]) + word[1:], nil
	},
}

var (
	affinity = option.Key[string]{
		Name: "affinity", Check: option.OneOf("cookie"), DefaultDoc: "off",
		Doc: "With `cookie`, a client is sent to the same endpoint again: nginx gives it a cookie.",
	}
	affinityMode = option.Key[string]{
		Name: "affinity-mode", Default: "balanced", Check: option.OneOf("balanced", "persistent"), Risk: option.Medium,
		Doc: "With `balanced`, some clients move where endpoints come; with `persistent`, none does while its endpoint is there.",
	}
	affinityCanary = option.Key[string]{
		Name: "affinity-canary-behavior", Default: "sticky", Check: option.OneOf("sticky", "legacy"),
		Doc: "With `sticky`, the cookie also keeps a client with the canary, or away from it, whatever the canary's own rules say then; where both Ingresses have affinity, the canary's own is not used. With `legacy`, on either of the two, the rules decide each time, and a canary has the cookie that it asks for itself.",
	}
	sessionName = option.Key[string]{
		Name: "session-cookie-name", Default: "INGRESSCOOKIE", Check: fieldName, Risk: option.Medium,
		Doc: "The name of affinity's cookie.",
	}
	sessionPath = option.Key[string]{
		Name: "session-cookie-path", Check: option.Pattern(`/[-!$&()*+./0-9:=@A-Z_a-z~%]*`, "a path"), DefaultDoc: "the Ingress's path, or `/` where that is a regular expression", Risk: option.Medium,
		Doc: "The cookie's Path. Differs: where the path is a regular expression, and nothing is set, the cookie is for all of the host.",
	}
	sessionDomain = option.Key[string]{
		Name: "session-cookie-domain", Check: option.Pattern(`\.?[-._A-Za-z0-9]+`, "a domain"), DefaultDoc: "none", Risk: option.Medium,
		Doc: "The cookie's Domain.",
	}
	sessionExpires = option.Key[int]{
		Name: "session-cookie-expires", Check: option.Int(-1<<31, 1<<31-1), DefaultDoc: "with the session", Risk: option.Medium,
		Doc: "How many seconds from now the cookie expires.",
	}
	sessionMaxAge = option.Key[int]{
		Name: "session-cookie-max-age", Check: option.Int(-1<<31, 1<<31-1), DefaultDoc: "with the session", Risk: option.Medium,
		Doc: "The cookie's Max-Age, in seconds.",
	}
	sessionSameSite = option.Key[string]{
		Name: "session-cookie-samesite", Check: sameSites, DefaultDoc: "none",
		Doc: "The cookie's SameSite.",
	}
	sessionConditional = option.Key[bool]{
		Name: "session-cookie-conditional-samesite-none", Check: option.Bool,
		Doc: "Leaves out `SameSite=None` for browsers that take it for `Strict`, or drop the cookie: those of iOS 12, of macOS 10.14, Chrome 51 to 66 and UC Browser before 12.13.2.",
	}
	sessionSecure = option.Key[bool]{
		Name: "session-cookie-secure", Check: option.Bool, DefaultDoc: "for requests by https alone",
		Doc: "Makes the cookie Secure for requests without TLS as well.",
	}
	sessionChange = option.Key[bool]{
		Name: "session-cookie-change-on-failure", Check: option.Bool,
		Doc: "Gives a client whose endpoint failed the one that answered in its place for good.",
	}
)

func readAffinity(r *option.Reader) Affinity {
	return Affinity{
		Cookie:          lookup(r, affinity) == "cookie",
		Persistent:      lookup(r, affinityMode) == "persistent",
		Legacy:          lookup(r, affinityCanary) == "legacy",
		Name:            sessionName.Get(r),
		Path:            lookup(r, sessionPath),
		Domain:          lookup(r, sessionDomain),
		Expires:         lookup(r, sessionExpires),
		MaxAge:          lookup(r, sessionMaxAge),
		SameSite:        lookup(r, sessionSameSite),
		ConditionalNone: lookup(r, sessionConditional),
		Secure:          lookup(r, sessionSecure),
		ChangeOnFailure: lookup(r, sessionChange),
	}
}
