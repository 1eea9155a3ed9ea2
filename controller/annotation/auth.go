package annotation

import (
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Auth is the server that is asked whether a request may come in. Without a
// URL, none is.
type Auth struct {
	URL      AuthURL
	Method   string
	Signin   option.List // a Template of an URL; "": nowhere
	Param    string      // of the sign-in URL, that holds the request's own
	Headers  option.List // of the answer, that endpoints get
	Redirect option.List // a Template: X-Auth-Request-Redirect
	Cookies  bool        // whatever the response's status is
	CacheKey option.List // a Template; "": nothing is cached
	CacheFor option.List // "status=seconds" each
	Set      string      // the ConfigMap with more headers
	// Keepalive is how many idle connections a worker keeps; KeepaliveTime is
	// how long.
	Keepalive, KeepaliveRequests int
	KeepaliveTime                time.Duration
	ShareVars                    bool
	NotGlobal                    bool // the ConfigMap's server is not asked
}

// defaultDurations are those of auth-cache-duration.
const defaultDurations = option.List("200=300\n202=300\n401=300")

// authKeys are the keys that the ConfigMap has for all Ingresses too, by what
// their names begin with.
type authKeys struct {
	url                                 option.Key[AuthURL]
	method, param                       option.Key[string]
	signin, redirect, cacheKey, headers option.Key[option.List]
	cacheFor                            option.Key[option.List]
	cookies                             option.Key[bool]
}

var (
	ingressAuth = authKeysOf("auth-")
	globalAuth  = authKeysOf("global-auth-")
)

func authKeysOf(prefix string) authKeys {
	return authKeys{
		url: option.Key[AuthURL]{
			Name: prefix + "url", Risk: option.High, DefaultDoc: "none", Check: authURL,
			Doc: "The server that is asked, by a request of its own, whether a request may come in: 2xx lets it in, 401 and 403 are passed on, and anything else is a 500, as it is " +
				"where the server does not answer. It gets the client's headers, no body, and X-Original-URL, X-Original-Method, X-Real-IP, X-Forwarded-For and X-Auth-Request-Redirect. " +
				"The host is looked up by the controller; `$host` in its place is this nginx itself, asked for the request's host, and as if by the client: lists of addresses and limits see that. Certificates of https servers are not verified.",
		},
		method: option.Key[string]{
			Name: prefix + "method", DefaultDoc: "`GET`", Check: authMethod,
			Doc: "The method by which that server is asked.",
		},
		signin: option.Key[option.List]{
			Name: prefix + "signin", Risk: option.High, DefaultDoc: "none", Check: authSignin,
			Doc: "Where a client is sent (302), instead of a 401, to say who it is. The URL that it asked for is added as a parameter, unless it has that already.",
		},
		param: option.Key[string]{
			Name: prefix + "signin-redirect-param", Risk: option.Medium, Default: "rd", Check: option.Pattern(`[-A-Za-z0-9._~]{1,100}`, "letters, digits, `-`, `.`, `_` and `~`"),
			Doc: "The name of that parameter.",
		},
		headers: option.Key[option.List]{
			Name: prefix + "response-headers", Risk: option.Medium, DefaultDoc: "none", Check: option.ListOfEach(authHeader),
			Doc: "Headers of that server's answer that endpoints get, in the place of any that the client sent.",
		},
		redirect: option.Key[option.List]{
			Name: prefix + "request-redirect", Risk: option.Medium, DefaultDoc: "the request's path and arguments", Check: authRedirect,
			Doc: "The X-Auth-Request-Redirect header that the server gets.",
		},
		cookies: option.Key[bool]{
			Name: prefix + "always-set-cookie", Check: option.Bool,
			Doc: "Hands the server's Set-Cookie to the client whatever the status of the response; else only beside 200, 201, 204, 206, 301 to 304, 307 and 308.",
		},
		cacheKey: option.Key[option.List]{
			Name: prefix + "cache-key", Risk: option.Medium, DefaultDoc: "nothing is cached", Check: authCacheKey,
			Doc: "Remembers answers under this text, for each path of an Ingress and each URL by itself. Whoever has the same text is taken for the same client. " +
				"An answer with Set-Cookie, or whose Cache-Control forbids it, is not remembered.",
		},
		cacheFor: option.Key[option.List]{
			Name: prefix + "cache-duration", Risk: option.Medium, Default: defaultDurations, DefaultDoc: "`200 202 401 5m`", Check: authDurations,
			Doc: "For how long, by status.",
		},
	}
}

func (k authKeys) read(r *option.Reader) Auth {
	return Auth{
		URL:    lookup(r, k.url),
		Method: lookup(r, k.method), Signin: lookup(r, k.signin), Param: k.param.Get(r), Headers: lookup(r, k.headers),
		Redirect: lookup(r, k.redirect), Cookies: k.cookies.Get(r), CacheKey: lookup(r, k.cacheKey), CacheFor: k.cacheFor.Get(r),
	}
}

var (
	authSet = option.Key[string]{
		Name: "auth-proxy-set-headers", Risk: option.Medium, DefaultDoc: "none", Check: option.Reference,
		Doc: "A ConfigMap of more headers that the server of `auth-url` gets: names, and values in which variables of the request may stand. Where it is missing or has one that is wrong, the location answers 503.",
	}
	authKeepalive = option.Key[int]{
		Name: "auth-keepalive", Check: idleConnections,
		Doc: "How many idle connections to that server each worker keeps for this Ingress; 0 opens one for each request.",
	}
	authKeepaliveRequests = option.Key[int]{
		Name: "auth-keepalive-requests", Default: 1000, Check: option.Int(0, 1<<31-1),
		Doc: "After how many requests such a connection is closed.",
	}
	authKeepaliveTimeout = option.Key[time.Duration]{
		Name: "auth-keepalive-timeout", Default: time.Minute, Check: authSeconds,
		Doc: "After how many idle seconds such a connection is closed; 0 keeps none.",
	}
	authShareVars = option.Key[bool]{
		Name: "auth-keepalive-share-vars", Check: option.Bool,
		Doc: "With `auth-keepalive`, the server sees the X-Request-ID that the endpoint will see; else one of its own, unless the client sent one. Without `auth-keepalive` both always see the same.",
	}
	enableGlobalAuth = option.Key[bool]{
		Name: "enable-global-auth", Default: true, Check: option.Bool,
		Doc: "`false` does not ask the server of the ConfigMap's `global-auth-url`.",
	}
)

func readAuth(r *option.Reader) Auth {
	a := ingressAuth.read(r)
	a.Set = lookup(r, authSet)
	a.Keepalive, a.KeepaliveRequests, a.KeepaliveTime = authKeepalive.Get(r), authKeepaliveRequests.Get(r), authKeepaliveTimeout.Get(r)
	a.ShareVars = authShareVars.Get(r)
	a.NotGlobal = !enableGlobalAuth.Get(r)
	if a.URL == (AuthURL{}) {
		if a.Signin != "" {
			r.Warn(ingressAuth.signin.Name, "has no effect without auth-url")
		}
		return Auth{NotGlobal: a.NotGlobal}
	}
	return a
}

// ReadGlobalAuth reads the ConfigMap's. One that is wrong asks a server that
// there is not, so that nobody comes in unasked.
func ReadGlobalAuth(r *option.Reader) Auth {
	before := len(r.Problems())
	a := globalAuth.read(r)
	if len(r.Problems()) > before {
		return Auth{URL: AuthURL{Scheme: Nowhere}}
	}
	if a.URL == (AuthURL{}) {
		return Auth{}
	}
	a.KeepaliveRequests, a.KeepaliveTime = authKeepaliveRequests.Default, authKeepaliveTimeout.Default
	return a
}

// idleConnections takes what is less than 0 for 0, as ingress-nginx did.
var idleConnections = option.Check[int]{
	Values: "a whole number up to 10000",
	Parse: func(s string) (int, error) {
		n, err := option.Int(-1<<31, 10000).Parse(s)
		return max(n, 0), err
	},
}

var authSeconds = option.Check[time.Duration]{
	Values: option.Seconds.Values, Format: option.Seconds.Format,
	Parse: func(s string) (time.Duration, error) {
		d, err := option.Seconds.Parse(s)
		if err == nil && d > 24*time.Hour {
			return 0, fmt.Errorf("%.40q is more than a day", s)
		}
		return d, err
	},
}

var authMethod = option.Check[string]{
	Values: "`GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE`, `OPTIONS` or `TRACE`",
	Parse:  option.OneOf(strings.Fields("GET HEAD POST PUT PATCH DELETE OPTIONS TRACE")...).Parse,
}
