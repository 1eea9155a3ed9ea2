package annotation

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// ModSecurity is what rules requests are held against. The rules that users
// write are in Snippet.
type ModSecurity struct {
	Enable Tristate
	Core   Tristate // the OWASP Core Rule Set
	// TransactionID is text in which ${name} are variables; "" leaves it to
	// ModSecurity.
	TransactionID string
}

var (
	enableModSecurity = option.Key[bool]{
		Name: "enable-modsecurity", Check: option.Bool, DefaultDoc: inConfigMap + " (`false`)",
		Doc: "Holds requests against rules, by Debian's packages libnginx-mod-http-modsecurity and modsecurity-crs; where one is missing that is needed, the location answers 503. " +
			"The recommended configuration that comes with the module is in force, which only detects: `SecRuleEngine On` in `modsecurity-snippet` refuses. " +
			"`false` turns off what the ConfigMap turns on. Audit entries are lines of JSON in the access log. (ingress-nginx writes a file for each in its container.)",
	}
	enableCoreRules = option.Key[bool]{
		Name: "enable-owasp-core-rules", Check: option.Bool, DefaultDoc: "ConfigMap's `enable-owasp-modsecurity-crs` (`false`)",
		Doc: "Adds the OWASP Core Rule Set, where ModSecurity is on. `false` does not take away what the ConfigMap adds.",
	}
	transactionID = option.Key[string]{
		Name: "modsecurity-transaction-id", Check: transactionText, DefaultDoc: "made by ModSecurity", Risk: option.High,
		Doc: "What ModSecurity's logs call a request, where ModSecurity is on.",
	}
)

func readModSecurity(r *option.Reader) ModSecurity {
	m := ModSecurity{Enable: tristate(r, enableModSecurity), Core: tristate(r, enableCoreRules)}
	m.TransactionID, _ = transactionID.Lookup(r)
	return m
}

var transactionVariables = strings.Fields(`request_id req_id http_x_request_id http_traceparent host remote_addr remote_port msec time_iso8601 connection
	connection_requests request_method scheme server_port pid`)

var transactionShape = regexp.MustCompile(`^[-A-Za-z0-9_${}]{1,200}$`)

// transactionText accepts letters, digits, - and _, and the variables. Each is
// printed with braces.
var transactionText = option.Check[string]{
	Values: "letters, digits, `-`, `_`, and `$" + strings.Join(transactionVariables, "`, `$") + "`",
	Parse: func(s string) (string, error) {
		if !transactionShape.MatchString(s) {
			return "", fmt.Errorf("%.80q has characters other than letters, digits, - and _, and those of variables, or more than 200", s)
		}
		parts, err := option.Template(s, transactionVariables...)
		if err != nil {
			return "", err
		}
		var b strings.Builder
		for _, part := range parts.All() {
			if text, literal := strings.CutPrefix(part, "="); literal {
				if strings.ContainsAny(text, "{}") {
					return "", fmt.Errorf("%.80q has a brace that is no variable's", s)
				}
				b.WriteString(text)
				continue
			}
			b.WriteString("${" + part + "}")
		}
		return b.String(), nil
	},
}
