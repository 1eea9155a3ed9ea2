package annotation

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// CORS is which other sites may use a response. It is zero where it is off.
type CORS struct {
	Enabled     bool
	Origins     option.List // "*", or each scheme://host[:port], where host may start with "*."
	Credentials bool
	Methods     string
	Headers     string
	Expose      string
	MaxAge      int // seconds
}

var originText = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://(\*\.)?([a-z0-9]([-a-z0-9_.]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)

// corsOrigins accepts what browsers send as Origin, and wildcards for it.
var corsOrigins = option.ListOfEach(option.Check[string]{
	Values: "`*`, `scheme://host[:port]` or `scheme://*.domain[:port]`",
	Parse: func(s string) (string, error) {
		lower := strings.ToLower(s)
		if s == "*" || s == "null" || originText.MatchString(lower) && len(s) < 300 {
			return lower, nil
		}
		return "", fmt.Errorf("%.80q is none of *, scheme://host[:port] and scheme://*.domain[:port]", s)
	},
})

// tokens accepts names of methods or headers, and prints them with commas.
func tokens(what string) option.Check[string] {
	one := regexp.MustCompile(`^([-_A-Za-z0-9]+|\*)$`)
	return option.Check[string]{
		Values: "a list of " + what + ", parted by commas",
		Parse: func(s string) (string, error) {
			all := strings.FieldsFunc(s, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' })
			for _, word := range all {
				if !one.MatchString(word) {
					return "", fmt.Errorf("%.80q is none of %s", word, what)
				}
			}
			if len(s) > 4000 {
				return "", fmt.Errorf("is longer than 4000 bytes")
			}
			return strings.Join(all, ", "), nil
		},
	}
}

var (
	enableCORS = option.Key[bool]{
		Name: "enable-cors", Check: option.Bool,
		Doc: "Lets other sites use the responses: adds the headers of CORS to each of them, in the place of the backend's, and answers OPTIONS requests with 204 before authentication and redirects.",
	}
	corsOrigin = option.Key[option.List]{
		Name: "cors-allow-origin", Default: "*", Check: corsOrigins, Risk: option.Medium,
		Doc: "Which sites those are; requests of others get no header, and their OPTIONS requests go to the backend. A wildcard stands for one label. " +
			"(ingress-nginx compares the end of an origin only, so `https://evil-a.example.org` passes as `a.example.org` there.)",
	}
	corsCredentials = option.Key[bool]{
		Name: "cors-allow-credentials", Default: true, Check: option.Bool,
		Doc: "Lets those sites send cookies and other credentials. It has no effect beside the origin `*`, with which no browser takes it, and naming each origin in its place would open the responses to all sites. (ingress-nginx sends both.)",
	}
	corsMethods = option.Key[string]{
		Name: "cors-allow-methods", Default: "GET, PUT, POST, DELETE, PATCH, OPTIONS", Check: tokens("methods"), Risk: option.Medium,
		Doc: "The methods that those sites may use.",
	}
	corsHeaders = option.Key[string]{
		Name:    "cors-allow-headers",
		Default: "DNT, Keep-Alive, User-Agent, X-Requested-With, If-Modified-Since, Cache-Control, Content-Type, Range, Authorization",
		Check:   tokens("header names"), Risk: option.Medium,
		Doc: "The request headers that those sites may set.",
	}
	corsExpose = option.Key[string]{
		Name: "cors-expose-headers", Check: tokens("header names"), DefaultDoc: "none", Risk: option.Medium,
		Doc: "The response headers that those sites may read.",
	}
	corsMaxAge = option.Key[int]{
		Name: "cors-max-age", Default: 1728000, Check: option.Int(0, 1<<31-1),
		Doc: "How many seconds a browser may keep the answer to an OPTIONS request.",
	}
)

func readCORS(r *option.Reader) CORS {
	before := len(r.Problems())
	c := CORS{
		Enabled: enableCORS.Get(r), Origins: corsOrigin.Get(r), Credentials: corsCredentials.Get(r),
		Methods: corsMethods.Get(r), Headers: corsHeaders.Get(r), Expose: corsExpose.Get(r), MaxAge: corsMaxAge.Get(r),
	}
	// A wrong value must not open more than its author meant, as a default may.
	if !c.Enabled || len(r.Problems()) > before {
		return CORS{}
	}
	for _, origin := range c.Origins.All() {
		if origin == "*" {
			c.Origins = "*"
			if explicit, ok := corsCredentials.Lookup(r); ok && explicit {
				r.Warn(corsCredentials.Name, "has no effect beside the origin *: no browser takes both")
			}
			c.Credentials = false
			break
		}
	}
	return c
}
