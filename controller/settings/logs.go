package settings

import (
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// DefaultLogFormat is ingress-nginx's: the combined format and what the
// request met upstream.
const DefaultLogFormat = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" ` +
	`$request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] ` +
	`$upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id`

var logPath = option.Pattern(`/[-_./a-zA-Z0-9]+`, "an absolute path")

func readLogs(r *option.Reader, s *model.Settings) {
	s.AccessLog = !flag(r, "disable-access-log", false, "Writes no access log.")
	s.AccessLogPath = text(r, "access-log-path", "", logPath,
		"The file that the access log goes to; without one it goes to standard output.")
	s.ErrorLogLevel = text(r, "error-log-level", "notice",
		option.OneOf("debug", "info", "notice", "warn", "error", "crit", "alert", "emerg"),
		"The least severe level that nginx logs, to standard error.")
	s.LogFormat = text(r, "log-format-upstream", DefaultLogFormat, logFormat, "The format of the access log.")
	json := flag(r, "log-format-escape-json", false, "Escapes variables in the access log for JSON.")
	none := flag(r, "log-format-escape-none", false, "Escapes nothing in the access log.")
	switch {
	case json:
		s.LogFormatEscape = "json"
	case none:
		s.LogFormatEscape = "none"
	default:
		s.LogFormatEscape = "default"
	}
}
