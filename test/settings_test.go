package test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// The ConfigMap's proxy- keys are written once, in the http block; an annotation
// of the same name is written in its location, and there alone. What they do is
// test/compat's: here are those that take long to show.
func TestProxySettings(t *testing.T) {
	for key, c := range map[string]struct{ setting, annotation, inHTTP, inLocation string }{
		"proxy-connect-timeout":       {"7", "8", "proxy_connect_timeout 7s;", "proxy_connect_timeout 8s;"},
		"proxy-send-timeout":          {"7", "8", "proxy_send_timeout 7s;", "proxy_send_timeout 8s;"},
		"proxy-read-timeout":          {"7", "8", "proxy_read_timeout 7s;", "proxy_read_timeout 8s;"},
		"proxy-buffering":             {"on", "off", "proxy_buffering on;", "proxy_buffering off;"},
		"proxy-request-buffering":     {"off", "on", "proxy_request_buffering off;", "proxy_request_buffering on;"},
		"proxy-buffers-number":        {"7", "8", "proxy_buffers 7 4k;", "proxy_buffers 8 4k;"},
		"proxy-buffer-size":           {"8k", "16k", "proxy_buffers 4 8k;", "proxy_buffers 4 16k;"},
		"proxy-busy-buffers-size":     {"9k", "10k", "proxy_busy_buffers_size 9k;", "proxy_busy_buffers_size 10k;"},
		"proxy-max-temp-file-size":    {"7m", "8m", "proxy_max_temp_file_size 7m;", "proxy_max_temp_file_size 8m;"},
		"proxy-next-upstream":         {"error", "timeout", "proxy_next_upstream error;", "proxy_next_upstream timeout;"},
		"proxy-next-upstream-tries":   {"7", "8", "proxy_next_upstream_tries 7;", "proxy_next_upstream_tries 8;"},
		"proxy-next-upstream-timeout": {"7", "8", "proxy_next_upstream_timeout 7s;", "proxy_next_upstream_timeout 8s;"},
		"proxy-http-version":          {"1.0", "1.1", "proxy_http_version 1.0;", "proxy_http_version 1.1;"},
		"proxy-body-size":             {"7m", "8m", "client_max_body_size 7m;", "client_max_body_size 8m;"},
		"proxy-cookie-domain":         {"a b", "c d", "proxy_cookie_domain a b;", "proxy_cookie_domain c d;"},
		"proxy-cookie-path":           {"/a /b", "/c /d", "proxy_cookie_path /a /b;", "proxy_cookie_path /c /d;"},
	} {
		t.Run(key, func(t *testing.T) {
			own, other := set(t, key, c.setting, c.annotation), set(t, key, c.setting, "")
			if own["problems"]+other["problems"] != "" {
				t.Errorf("problems: %s%s", own["problems"], other["problems"])
			}
			for _, got := range []map[string]string{own, other} {
				if http, _, _ := strings.Cut(got["nginx.conf"], "    server {"); !strings.Contains(http, c.inHTTP) {
					t.Errorf("the http block has no %q", c.inHTTP)
				}
			}
			if !strings.Contains(own["server.conf"], c.inLocation) || strings.Contains(own["server.conf"], c.inHTTP) {
				t.Errorf("the location has no %q:\n%s", c.inLocation, own["server.conf"])
			}
			directive, _, _ := strings.Cut(c.inHTTP, " ")
			if strings.Contains(other["server.conf"], directive) {
				t.Errorf("without the annotation, the location has a %s:\n%s", directive, other["server.conf"])
			}
		})
	}
}

// set is what an Ingress becomes with a ConfigMap of that key, and an annotation
// of that name unless it is "".
func set(t *testing.T, key, setting, annotation string) map[string]string {
	t.Helper()
	p := value(key, annotation, "")
	text := pushed(p, p.before)
	return render(t, txtar.Parse([]byte(strings.Replace(text, `data: {global-allowed-response-headers: "X-One, X-Two"}`, fmt.Sprintf("data: {%s: %q}", key, setting), 1))))
}
