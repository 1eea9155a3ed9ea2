package compat

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// written is what a file has, "" where there is none.
func written(file string) string {
	text, _ := os.ReadFile(file) // that there is none is an answer
	return string(text)
}

// logged asks for the paths and then for another one; by then the lines of the
// first are written. It returns how many of them there are in what log reads.
func logged(c client, log func() string, paths ...string) string {
	for _, path := range append(paths, "/last") {
		c.get(path)
	}
	text := log()
	var found []string
	for _, path := range paths {
		if strings.Contains(text, "GET "+path+" ") {
			found = append(found, path)
		}
	}
	return strings.Join(found, " ")
}

func logKeys() map[string]keyProof {
	var first, second, errors string
	var syslog *net.UDPConn
	return map[string]keyProof{
		"path": {
			keys: []string{"access-log-path"},
			prepare: func(t *testing.T, p *keyProof, g *site) {
				first = filepath.Join(g.dir, "first.log")
				p.settings["access-log-path"] = first
			},
			ask: func(c client) (string, string) {
				was := len(written(first))
				return logged(c, func() string { return written(first)[was:] }, "/a"), ""
			},
			want: "/a",
		},
		"path of HTTP": {
			keys: []string{"http-access-log-path"},
			prepare: func(t *testing.T, p *keyProof, g *site) {
				second = filepath.Join(g.dir, "second.log")
				p.settings["access-log-path"], p.settings["http-access-log-path"] = filepath.Join(g.dir, "other.log"), second
			},
			ask: func(c client) (string, string) {
				was := len(written(second))
				return logged(c, func() string { return written(second)[was:] }, "/a"), ""
			},
			want: "/a",
		},
		"params": {
			keys: []string{"access-log-params"}, settings: map[string]string{"access-log-params": "buffer=64k"},
			prepare: func(t *testing.T, p *keyProof, g *site) {
				p.settings["access-log-path"] = filepath.Join(g.dir, "buffered.log")
				first = p.settings["access-log-path"]
			},
			ask: func(c client) (string, string) {
				return logged(c, func() string { return written(first) }, "/b"), ""
			},
		},
		"off": {
			keys: []string{"disable-http-access-log"}, settings: map[string]string{"disable-http-access-log": "true"},
			ask: func(c client) (string, string) { return logged(c, c.site.AccessLog, "/c"), "" },
		},
		"errors": {
			keys: []string{"error-log-path"},
			prepare: func(t *testing.T, p *keyProof, g *site) {
				errors = filepath.Join(g.dir, "error.log")
				p.settings["error-log-path"] = errors
			},
			ask: func(c client) (string, string) {
				said := fmt.Sprint(strings.Contains(written(errors), "start worker process"))
				if err := os.Remove(errors); err != nil && !os.IsNotExist(err) {
					c.t.Fatal(err)
				}
				return said, ""
			},
			settings: map[string]string{}, want: "true",
		},
		"syslog": {
			keys: []string{"enable-syslog", "syslog-host", "syslog-port"}, settings: map[string]string{"enable-syslog": "true", "syslog-host": "127.0.0.1"},
			prepare: func(t *testing.T, p *keyProof, g *site) {
				var err error
				if syslog, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { syslog.Close() })
				p.settings["syslog-port"] = fmt.Sprint(syslog.LocalAddr().(*net.UDPAddr).Port)
			},
			ask: func(c client) (string, string) {
				return logged(c, func() string { return datagrams(c.t, syslog) }, "/d"), ""
			},
			want: "/d",
		},
		"skipped": {
			keys: []string{"skip-access-log-urls"}, settings: map[string]string{"skip-access-log-urls": "/e, /e?x=1, ~^/re/[0-9]+$"},
			ask: func(c client) (string, string) {
				return logged(c, c.site.AccessLog, "/e", "/e/", "/e?x=1", "/e?x=2", "/re/1", "/re/a"), ""
			},
			want: "/e/ /e?x=2 /re/a",
		},
		"default backend": {
			keys: []string{"enable-access-log-for-default-backend"}, settings: map[string]string{"enable-access-log-for-default-backend": "true"},
			ask: func(c client) (string, string) {
				c.host = "nobody.example.org"
				return logged(c, c.site.AccessLog, "/f", "/healthz"), ""
			},
			want: "/f",
		},
		"variables": {
			keys: []string{"log-format-upstream"},
			settings: map[string]string{"log-format-upstream": "GET $request_uri $namespace/$ingress_name ${service_name}:$service_port $location_path $the_real_ip $pass_access_scheme $proxy_host $proxy_upstream_name " +
				"$best_http_host $http_x_a [$proxy_alternative_upstream_name]"},
			ask: func(c client) (string, string) {
				c.do(cluster.Request{URL: "http://HOST/g", Header: http.Header{"X-A": {`a"b`}}})
				logged(c, c.site.AccessLog)
				for line := range strings.Lines(c.site.AccessLog()) {
					if strings.HasPrefix(line, "GET /g ") {
						return strings.ReplaceAll(strings.TrimSpace(line), c.host, "HOST"), ""
					}
				}
				return "nothing", ""
			},
			want: `GET /g default/case-0 web:80 / 127.0.0.1 http default-web-80 default-web-80 HOST a\x22b []`,
		},
		"trace": {
			keys:     []string{"log-format-upstream", "enable-opentelemetry"},
			settings: map[string]string{"enable-opentelemetry": "true", "log-format-upstream": "GET $request_uri $opentelemetry_trace_id ${opentelemetry_span_id}."},
			ask: func(c client) (string, string) {
				r := c.do(cluster.Request{URL: "http://HOST/t"})
				logged(c, c.site.AccessLog)
				sent := strings.Split(r.Seen.Header.Get("Traceparent"), "-")
				return fmt.Sprint(len(sent) == 4 && strings.Contains(c.site.AccessLog(), "GET /t "+sent[1]+" "+sent[2]+".\n")), ""
			},
			want: "true",
		},
		"JSON": {
			keys: []string{"log-format-escape-json"}, settings: map[string]string{"log-format-escape-json": "true", "log-format-upstream": `{"agent":"$http_user_agent","uri":"$uri","svc":"$service_name"}`},
			ask:  func(c client) (string, string) { return injected(c), "" },
			want: "{\"agent\":\"a\\\",\\\"x\\\\:\\\"\\ty\",\"svc\":\"web\",\"uri\":\"/h\\n{\\\"agent\\\":1}\"}",
		},
		"raw": {
			keys: []string{"log-format-escape-none"}, settings: map[string]string{"log-format-escape-none": "true", "log-format-upstream": `GET $uri $http_user_agent.`},
			ask: func(c client) (string, string) {
				c.do(cluster.Request{URL: "http://HOST/i", Header: http.Header{"User-Agent": {`a"b`}}})
				logged(c, c.site.AccessLog)
				return fmt.Sprint(strings.Contains(c.site.AccessLog(), `GET /i a"b.`)), ""
			},
			want: "true",
		},
	}
}

// injected is the one line of JSON that a request with quotes and line breaks in
// it becomes.
func injected(c client) string {
	before := len(c.site.AccessLog())
	c.do(cluster.Request{URL: "http://HOST/h%0A%7B%22agent%22:1%7D", Header: http.Header{"User-Agent": {"a\",\"x\\:\"\ty"}}})
	logged(c, c.site.AccessLog)
	var found []string
	for line := range strings.Lines(c.site.AccessLog()[before:]) {
		var fields map[string]string
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			return "no JSON: " + line
		}
		if fields["uri"] != "/last" {
			text, _ := json.Marshal(fields) // strings
			found = append(found, string(text))
		}
	}
	return strings.Join(found, "\n")
}

// datagrams are those that have arrived: the last one is the test's own.
func datagrams(t *testing.T, at *net.UDPConn) string {
	own, err := net.DialUDP("udp", nil, at.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if _, err := own.Write([]byte("end")); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	buffer := make([]byte, 1<<16)
	for {
		n, err := at.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		if string(buffer[:n]) == "end" {
			return all.String()
		}
		all.Write(buffer[:n])
		all.WriteByte('\n')
	}
}
