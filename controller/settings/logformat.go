package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// variables are those of nginx's modules that we load, and ours, that a log
// format may show. nginx refuses a file with one that it doesn't know.
var variables = strings.Fields(`
	ancient_browser args binary_remote_addr body_bytes_sent bytes_sent connection connection_requests connection_time
	connections_active connections_reading connections_waiting connections_writing content_length content_type
	document_root document_uri gzip_ratio host hostname https http2 is_args limit_conn_status limit_rate limit_req_status
	msec nginx_version pid pipe proxy_add_x_forwarded_for proxy_host proxy_port query_string realip_remote_addr
	realip_remote_port realpath_root remote_addr remote_port remote_user request request_body request_body_file
	request_completion request_filename request_id request_length request_method request_time request_uri scheme
	server_addr server_name server_port server_protocol ssl_alpn_protocol ssl_cipher ssl_ciphers ssl_client_escaped_cert
	ssl_client_fingerprint ssl_client_i_dn ssl_client_s_dn ssl_client_serial ssl_client_v_end ssl_client_v_remain
	ssl_client_v_start ssl_client_verify ssl_curve ssl_curves ssl_early_data ssl_protocol ssl_server_name ssl_session_id
	ssl_session_reused status tcpinfo_rtt tcpinfo_rttvar tcpinfo_snd_cwnd tcpinfo_rcv_space time_iso8601 time_local
	upstream_addr upstream_bytes_received upstream_bytes_sent upstream_cache_status upstream_connect_time
	upstream_header_time upstream_last_server_name upstream_queue_time upstream_response_length upstream_response_time
	upstream_status uri
	proxy_protocol_addr proxy_protocol_port proxy_protocol_server_addr proxy_protocol_server_port
	best_http_host proxy_alternative_upstream_name proxy_upstream_name req_id
	namespace ingress_name service_name service_port location_path the_real_ip pass_access_scheme pass_server_port pass_port
	opentelemetry_trace_id opentelemetry_span_id`)

// families are variables of which any name that starts so exists.
var families = []string{"http_", "sent_http_", "sent_trailer_", "upstream_http_", "upstream_trailer_", "upstream_cookie_", "arg_", "cookie_"}

var oneLine = option.Pattern(`[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x1f\x7f\\]`, "one line of text, not ending in a backslash")

var variable = regexp.MustCompile(`\$(?:\{([a-zA-Z0-9_]+)\}|([a-zA-Z0-9_]+))?`)

// logFormat accepts one line of text with variables that nginx knows, or that
// the ConfigMap's snippets declare.
func logFormat(snippets *annotation.Scope) option.Check[string] {
	return formatOf(func(name string) (string, bool) {
		if own, ok := snippets.Variable(name); ok {
			return own, true
		}
		if name == "proxy_host" {
			return "proxy_upstream_name", true // so it is in ingress-nginx; nginx's own is an upstream block's name
		}
		return name, annotation.IsGeoVariable(name) || known(name, variables, families)
	})
}

// formatOf accepts a format whose variables are known; say tells what each is
// called in nginx.conf.
func formatOf(say func(name string) (string, bool)) option.Check[string] {
	return option.Check[string]{
		Values: "one line of text with nginx variables, not ending in a backslash",
		Parse: func(s string) (string, error) {
			if _, err := oneLine.Parse(s); err != nil {
				return "", err
			}
			var bad error
			out := variable.ReplaceAllStringFunc(s, func(found string) string {
				name := strings.Trim(found[1:], "{}")
				said, ok := say(name)
				switch {
				case name == "":
					bad = fmt.Errorf("%.80q has a $ without a variable's name", s)
				case !ok:
					bad = fmt.Errorf("$%.80s is not a variable that can be logged", name)
				case said != name:
					return "${" + said + "}"
				}
				return found
			})
			return out, bad
		},
	}
}

func known(name string, names, families []string) bool {
	return slices.Contains(names, name) || slices.ContainsFunc(families, func(family string) bool {
		return strings.HasPrefix(name, family) && len(name) > len(family)
	})
}
