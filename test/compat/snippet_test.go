package compat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func snippetGroup() group {
	return group{
		name: "snippet", settings: map[string]string{"allow-snippet-annotations": "true", "annotations-risk-level": "Critical"},
		// It lets those in that come with what the snippet says.
		objects: func(t *testing.T, _ *site) string {
			cluster.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Tenant") != "shop" {
					w.WriteHeader(http.StatusForbidden)
				}
			}), "10.244.98.20:8080")
			return ""
		},
		cases: []proof{
			{
				keys:        []string{"auth-snippet"},
				annotations: map[string]string{"auth-url": "http://10.244.98.20:8080/", "auth-snippet": "proxy_set_header X-Tenant shop;"},
				probes:      []probe{gets("/", "web")},
			}, {
				keys:        []string{"stream-snippet"},
				annotations: map[string]string{"stream-snippet": "server { listen PORT; proxy_pass web.default.svc:80; }"},
				probes:      []probe{{"the port", byPort, "web"}},
			}, {
				keys: []string{"configuration-snippet"},
				annotations: map[string]string{"configuration-snippet": "set $who \"a;b}\";\nmore_set_headers \"X-Who: $who\"; proxy_set_header X-From $remote_addr;\n" +
					"if ($http_x_stop = \"\") { set $go 1; }\nif ($http_x_stop) { return 418; }"},
				probes: []probe{
					// The headers that the http block sets are there as well.
					{"headers", func(c client) string {
						r := c.do(cluster.Request{URL: "https://HOST/"})
						return fmt.Sprint(r.Header.Get("X-Who"), " ", r.Seen.Header.Get("X-From"), " ", r.Seen.Header.Get("X-Real-Ip"), " ", r.Seen.Host, " ", r.Header.Get("Strict-Transport-Security") != "")
					}, "a;b} 127.0.0.1 127.0.0.1 HOST true"},
					{"an if", func(c client) string {
						return short(c.do(cluster.Request{URL: "http://HOST/", Header: http.Header{"X-Stop": {"1"}}}))
					}, "418"},
				},
			}, {
				keys: []string{"server-snippet"}, paths: []string{"Prefix /a"},
				annotations: map[string]string{"server-snippet": "if ($http_x_stop) { return 418; }\nadd_header X-Server yes always;"},
				probes: []probe{
					{"where no path is", func(c client) string {
						return short(c.do(cluster.Request{URL: "http://HOST/b", Header: http.Header{"X-Stop": {"1"}}}))
					}, "418"},
					{"headers", func(c client) string {
						r := c.do(cluster.Request{URL: "https://HOST/a"})
						return fmt.Sprint(r.Header.Get("X-Server"), " ", r.Header.Get("Strict-Transport-Security") != "")
					}, "yes true"},
				},
			},
		},
	}
}

// byPort asks the host's own port.
func byPort(c client) string {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // nginx waits for connections that it can't read
	r, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", portOf(c.host)))
	if err != nil {
		return "refused"
	}
	defer r.Body.Close()
	var seen cluster.Seen
	if err := json.NewDecoder(r.Body).Decode(&seen); err != nil {
		return err.Error()
	}
	return seen.Backend
}
