package settings

import (
	"fmt"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

const clientAddress = "$binary_remote_addr"

// limitVariable accepts what tells one client from another. Both forms of its
// address mean the same here.
var limitVariable = option.Check[string]{
	Values: "`$binary_remote_addr`, `$remote_addr`, `$realip_remote_addr`, `$host`, `$server_name`, `$remote_user`, `$ssl_client_fingerprint`, `$http_…`, `$cookie_…` or `$arg_…`",
	Parse: func(s string) (string, error) {
		parts, err := option.Template(s, "binary_remote_addr", "remote_addr", "realip_remote_addr", "host", "server_name", "remote_user",
			"ssl_client_fingerprint", "http_*", "cookie_*", "arg_*")
		all := parts.All()
		switch {
		case err != nil:
			return "", err
		case len(all) != 1 || strings.HasPrefix(all[0], "="):
			return "", fmt.Errorf("%.80q is not one variable", s)
		case all[0] == "remote_addr":
			return clientAddress, nil
		}
		return "$" + all[0], nil
	},
}

func readLimits(r *option.Reader, s *model.Settings) {
	s.LimitRequestStatus = number(r, "limit-req-status-code", 503, 400, 599, "The status for a request beyond limit-rps or limit-rpm.")
	s.LimitConnectionStatus = number(r, "limit-conn-status-code", 503, 400, 599, "The status for a request beyond limit-connections.")
	s.LimitBy = text(r, "limit-conn-zone-variable", clientAddress, limitVariable,
		"Whom limit-rps, limit-rpm and limit-connections count by. A request that has none of it, or whose client a limit-allowlist names, is not counted.")
	s.LimitRate = number(r, "limit-rate", 0, 0, 1<<30, "How many KB of a response are sent a second, on one connection. 0 sets no limit.")
	s.LimitRateAfter = number(r, "limit-rate-after", 0, 0, 1<<30, "How many KB of a response are sent before limit-rate holds.")
}
