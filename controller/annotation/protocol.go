package annotation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Protocol is what is spoken to endpoints.
type Protocol struct {
	Name   string // of protocols; "" is HTTP
	Index  string // of FastCGI: the file that a path with a slash at its end means
	Params string // of FastCGI: the ConfigMap of parameters
}

// protocols are what can be spoken, by ingress-nginx's names.
var protocols = []string{"HTTP", "HTTPS", "AUTO_HTTP", "GRPC", "GRPCS", "FCGI"}

var (
	backendProtocol = option.Key[string]{
		Name: "backend-protocol", Default: "HTTP",
		Doc: "What is spoken to the endpoints; `AUTO_HTTP` is HTTP or HTTPS, as the client came. Upper and lower case are the same in all respects, " +
			"where ingress-nginx set the wrong headers for `grpc`. Without an endpoint, each of them gets a 503.",
		Check: option.Check[string]{
			Values: "one of `" + strings.Join(protocols, "`, `") + "`, in any case",
			Parse: func(s string) (string, error) {
				name := strings.ToUpper(s)
				if !slices.Contains(protocols, name) {
					return "", fmt.Errorf("%.80q is not one of %s", s, strings.Join(protocols, ", "))
				}
				return name, nil
			},
		},
	}
	fastcgiIndex = option.Key[string]{
		Name: "fastcgi-index", Risk: option.Medium, DefaultDoc: "none",
		Doc:   "The file that is asked for where a path ends in a slash, with `backend-protocol: FCGI`.",
		Check: option.Pattern(`[A-Za-z0-9._-]+`, "a file name of letters, digits, dots, dashes and underscores"),
	}
	fastcgiParams = option.Key[string]{
		Name: "fastcgi-params-configmap", Risk: option.Medium, DefaultDoc: "none",
		Doc: "The ConfigMap of FastCGI parameters, beside the usual ones and in their place where the name is the same. Values may have variables that " +
			"nginx has for FastCGI, such as `$fastcgi_script_name`; a parameter with another one is left out, with an Event. A change of the ConfigMap takes effect, which it did not in ingress-nginx.",
		Check: option.Reference,
	}
)

func readProtocol(r *option.Reader) Protocol {
	p := Protocol{
		Name:   lookup(r, backendProtocol),
		Index:  lookup(r, fastcgiIndex),
		Params: lookup(r, fastcgiParams),
	}
	if p.Name == "HTTP" {
		p.Name = ""
	}
	return p
}
