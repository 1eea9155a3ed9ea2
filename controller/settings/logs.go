package settings

import (
	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// DefaultLogFormat is ingress-nginx's: the combined format and what the
// request met upstream.
const DefaultLogFormat = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" ` +
	`$request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] ` +
	`$upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id`

var logPath = option.Pattern(`/[-_./a-zA-Z0-9]+`, "an absolute path")

func readLogs(r *option.Reader, s *model.Settings, snippets *annotation.Scope) {
	s.AccessLog = !flag(r, "disable-access-log", false, "Writes no access log.")
	s.HTTPAccessLog = s.AccessLog && !flag(r, "disable-http-access-log", false, "Writes no access log of HTTP requests; that of TCP and UDP services is left.")
	s.AccessLogPath = text(r, "access-log-path", "", logPath,
		"The file that the access log goes to; without one it goes to standard output.")
	s.HTTPAccessLogPath = text(r, "http-access-log-path", "", logPath, "The file for the access log of HTTP requests; without one it goes where the access log goes.")
	s.AccessLogParams = option.Key[string]{
		Name: "access-log-params", DefaultDoc: "none: each line is written at once", Check: logParams,
		Doc: "How lines of the access log are gathered before they are written to its file.",
	}.Get(r)
	s.SkipAccessLog = option.Key[option.List]{
		Name: "skip-access-log-urls", DefaultDoc: "none", Check: skippedURLs,
		Doc: "Requests that are not in the access log, by their path and arguments as the client sent them.",
	}.Get(r)
	s.DefaultBackendLog = flag(r, "enable-access-log-for-default-backend", false,
		"Writes to the access log what no host and path of an Ingress takes.")
	if flag(r, "enable-auth-access-log", false, "Has no effect: the server of `auth-url` is asked from Lua, and its answers are in the error log where they are no clear yes or no.") {
		r.Warn("enable-auth-access-log", "has no effect: the request to the server of auth-url is none of nginx's and has no line of its own")
	}
	readErrorLog(r, s)
	readLogFormat(r, s, snippets)
}

func readErrorLog(r *option.Reader, s *model.Settings) {
	s.ErrorLogLevel = text(r, "error-log-level", "notice",
		option.OneOf("debug", "info", "notice", "warn", "error", "crit", "alert", "emerg"),
		"The least severe level that nginx logs.")
	s.ErrorLogPath = text(r, "error-log-path", "", logPath,
		"The file that nginx's error log goes to; without one it goes to standard error.")
	on := flag(r, "enable-syslog", false, "Sends the access log and the error log to `syslog-host`, by UDP, in the place of files.")
	host := text(r, "syslog-host", "", collectorHost,
		"The host of the syslog server. A name is looked up by the controller; while that fails, logs go where they went without syslog.")
	port := number(r, "syslog-port", 514, 1, 65535, "The UDP port of the syslog server.")
	if on && host == "" {
		r.Reject("enable-syslog", "has no syslog-host beside it, and no effect")
		return
	}
	if on {
		s.SyslogHost, s.SyslogPort = host, port
	}
}

func readLogFormat(r *option.Reader, s *model.Settings, snippets *annotation.Scope) {
	s.LogFormat = text(r, "log-format-upstream", DefaultLogFormat, logFormat(snippets),
		"The format of the access log, with nginx's variables and ingress-nginx's: `$proxy_upstream_name`, `$proxy_alternative_upstream_name`, `$proxy_host`, `$req_id`, "+
			"`$namespace`, `$ingress_name`, `$service_name`, `$service_port`, `$location_path`, `$the_real_ip`, `$best_http_host`, `$pass_access_scheme`, `$pass_server_port` and `$pass_port`, "+
			"`$opentelemetry_trace_id` and `$opentelemetry_span_id`, and with `use-geoip2` those of databases of addresses.")
	json := flag(r, "log-format-escape-json", false, "Escapes variables in the access log for JSON.")
	none := flag(r, "log-format-escape-none", false, "Escapes nothing in the access log: what a client sends can end a line and begin another.")
	switch {
	case json:
		s.LogFormatEscape = "json"
	case none:
		s.LogFormatEscape = "none"
	default:
		s.LogFormatEscape = "default"
	}
}
