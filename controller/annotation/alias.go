package annotation

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Alias is under which further names a host is served.
type Alias struct {
	Names option.List // hosts in lower case, or "~" and an expression
	WWW   bool        // the name with, or without, www. is redirected here
}

var aliasText = regexp.MustCompile(`^(\*\.)?[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*$`)

var aliases = option.ListOfEach(option.Check[string]{
	Values: "a host, a wildcard such as `*.example.org`, or `~` and a regular expression",
	Parse: func(s string) (string, error) {
		if expression, ok := strings.CutPrefix(s, "~"); ok {
			expression, err := option.Regex.Parse(expression)
			return "~" + expression, err
		}
		name := strings.ToLower(s)
		if !aliasText.MatchString(name) || len(name) > 253 {
			return "", fmt.Errorf("%.80q is neither a host nor ~ and a regular expression", s)
		}
		return name, nil
	},
})

var (
	serverAlias = option.Key[option.List]{
		Name: "server-alias", Check: aliases, DefaultDoc: "none", Risk: option.High,
		Doc: "Further names under which the Ingress's hosts are served. A name that is a host of an Ingress, or an alias of an older one, stays theirs. Differs: an expression is no alias of a wildcard, for it would come before other wildcards. With TLS a name gets the host's certificate where that is for it.",
	}
	fromToWWW = option.Key[bool]{
		Name: "from-to-www-redirect", Check: option.Bool,
		Doc: "Redirects from `www.` and the host to the host, or from what follows to a host that begins with `www.`, with the status of http-redirect-code. As ingress-nginx did, the target has the port, and no slash at its end.",
	}
)

func readAlias(r *option.Reader) Alias {
	return Alias{Names: lookup(r, serverAlias), WWW: lookup(r, fromToWWW)}
}
