package template

import (
	"regexp"
	"slices"
)

// ofRoute are the variables of the log format that Lua sets when a request is
// logged. They are data: a route's Service can change without a reload.
var ofRoute = []string{"namespace", "ingress_name", "service_name", "service_port", "location_path"}

// aliases are ingress-nginx's names for what nginx has under another.
var aliases = map[string]string{
	"the_real_ip":        "$remote_addr",
	"pass_access_scheme": "$scheme",
	"pass_server_port":   "$server_port",
	"pass_port":          "$server_port",
}

// ofSpan are parts of $span_context: the trace's id and the span's.
var ofSpan = map[string]string{
	"opentelemetry_trace_id": `~^([0-9a-f]{32})`,
	"opentelemetry_span_id":  `~^[0-9a-f]{32}([0-9a-f]{16})`,
}

// shows says whether the access log shows a variable. Lua can set no variable
// that nothing in the file shows.
func (f *frame) shows(name string) bool {
	return f.HTTPAccessLog && regexp.MustCompile(`\$(\{`+name+`\}|`+name+`\b)`).MatchString(f.LogFormat)
}

// Names says whether it shows what a route's backend, or its canary's, is called.
func (f *frame) Names() bool {
	return f.shows("proxy_upstream_name") || f.shows("proxy_alternative_upstream_name")
}

// NamesUnread says whether Lua sets one of these names that it does not show:
// metrics go by the canary's.
func (f *frame) NamesUnread() bool {
	both := f.shows("proxy_upstream_name") && f.shows("proxy_alternative_upstream_name")
	return !both && (f.Names() || f.Metrics)
}

// Shown are those of a route that it shows.
func (f *frame) Shown() []string {
	return slices.DeleteFunc(slices.Clone(ofRoute), func(name string) bool { return !f.shows(name) })
}

// Aliases are those that it shows, and what they are.
func (f *frame) Aliases() map[string]string {
	all := f.shown(aliases)
	if f.Peers.Forwarded { // they are there
		delete(all, "pass_access_scheme")
		delete(all, "pass_port")
	}
	return all
}

// SpanVariables are those of a span that it shows, and where they are in it.
func (f *frame) SpanVariables() map[string]string { return f.shown(ofSpan) }

func (f *frame) shown(variables map[string]string) map[string]string {
	shown := map[string]string{}
	for name, value := range variables {
		if f.shows(name) {
			shown[name] = value
		}
	}
	return shown
}
