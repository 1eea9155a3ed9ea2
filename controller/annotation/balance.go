package annotation

import (
	"fmt"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Balance is how an endpoint is chosen. A zero value leaves it to the
// ConfigMap.
type Balance struct {
	Algorithm   string
	HashBy      option.List // a Template
	Subset      Tristate
	SubsetSize  int
	ServiceOnly Tristate // the Service's own address is the endpoint
}

// HashVariables are those that a client's endpoint may depend on.
var HashVariables = []string{
	"remote_addr", "binary_remote_addr", "request_uri", "uri", "args", "query_string", "host", "http_host", "scheme", "request_method",
	"server_name", "server_port", "remote_user", "remote_port", "ssl_client_fingerprint", "ssl_client_s_dn", "http_*", "cookie_*", "arg_*",
}

// HashKey accepts a text with variables.
var HashKey = option.Check[option.List]{
	Values: "a text in which `$remote_addr`, `$request_uri`, `$uri`, `$args`, `$host`, `$http_NAME`, `$cookie_NAME`, `$arg_NAME` and others stand for the request's",
	Parse: func(s string) (option.List, error) {
		if len(s) > 500 || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c >= 0x7f }) {
			return "", fmt.Errorf("%.80q has other characters than printable ones of ASCII, or more than 500", s)
		}
		return option.Template(s, HashVariables...)
	},
}

// Algorithms are those that ingress-nginx took.
var Algorithms = option.OneOf("round_robin", "ewma", "chash", "chashsubset", "sticky_balanced", "sticky_persistent")

var (
	loadBalance = option.Key[string]{
		Name: "load-balance", Check: Algorithms, DefaultDoc: inConfigMap + " (`round_robin`)",
		Doc: "How an endpoint is chosen: `round_robin`, one after the other, or `ewma`, of two by chance the one that has answered faster of late. The other values are taken and mean `round_robin`: upstream-hash-by and affinity say the same. Another value is no reload; the first one, or none any more, is, unless metrics are on.",
	}
	upstreamHashBy = option.Key[option.List]{
		Name: "upstream-hash-by", Check: HashKey, DefaultDoc: inConfigMap + " (none)", Risk: option.High,
		Doc: "Requests for which this text is the same go to the same endpoint. Where an endpoint comes or goes, no other requests move than those that have to.",
	}
	upstreamHashSubset = option.Key[bool]{
		Name: "upstream-hash-by-subset", Check: option.Bool, DefaultDoc: inConfigMap + " (`false`)",
		Doc: "Such requests go to any of a few endpoints.",
	}
	upstreamHashSubsetSize = option.Key[int]{
		Name: "upstream-hash-by-subset-size", Check: option.Int(1, 1000), DefaultDoc: inConfigMap + " (`3`)",
		Doc: "How many those are.",
	}
	serviceUpstream = option.Key[bool]{
		Name: "service-upstream", Check: option.Bool, DefaultDoc: inConfigMap + " (`false`)",
		Doc: "Sends requests to the Service's cluster IP, where it has one, in the place of its endpoints.",
	}
)

func readBalance(r *option.Reader) Balance {
	return Balance{
		Algorithm:   lookup(r, loadBalance),
		HashBy:      lookup(r, upstreamHashBy),
		Subset:      tristate(r, upstreamHashSubset),
		SubsetSize:  lookup(r, upstreamHashSubsetSize),
		ServiceOnly: tristate(r, serviceUpstream),
	}
}
