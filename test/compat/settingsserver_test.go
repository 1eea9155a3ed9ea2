package compat

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// said is a status, with what the endpoint saw of headers and what the client did.
func said(q cluster.Request, upstream, response []string) func(c client) (string, string) {
	return func(c client) (string, string) {
		r := c.do(q)
		parts := []string{fmt.Sprint(r.Status)}
		for _, name := range upstream {
			if r.Seen != nil {
				parts = append(parts, strings.Join(r.Seen.Header.Values(name), "+"))
			}
		}
		for _, name := range response {
			parts = append(parts, strings.Join(r.Header.Values(name), "+"))
		}
		return strings.Join(parts, "|"), ""
	}
}

func more(name string, lines ...string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: sallyport}\ndata:\n  " + strings.Join(lines, "\n  ") + "\n"
}

// The keys for what all hosts have in common.
func serverKeys() map[string]keyProof {
	get := func(path string, header ...string) cluster.Request {
		h := http.Header{}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return cluster.Request{URL: "http://HOST" + path, Header: h}
	}
	serves := func(t *testing.T, p *keyProof, g *site) {
		cluster.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Server", "inner")
			w.Header().Set("X-Secret", "s")
			w.Header().Set("X-Frame-Options", "ALLOW")
		}), g.address(10)+":8080")
		p.more, p.service = service("answers", g.address(10))+"---\n"+more("added", "X-Frame-Options: DENY", `"X-Evil": "a\"; } $host"`, "Transfer-Encoding: chunked")+"---\n"+
			more("asked", "X-Tenant: of $http_x_org at $host", "X-Wrong: $nothing", "Host: evil"), "answers"
	}
	sees := func(_ *testing.T, p *keyProof, _ *site) {
		p.more = more("asked", "X-Tenant: of $http_x_org at $host", "X-Wrong: $nothing", "Host: evil")
	}
	return numbered(
		keyProof{keys: []string{"block-cidrs"}, settings: map[string]string{"block-cidrs": "127.0.0.0/8, 2001:db8::/32"}, ask: said(get("/"), nil, nil), want: "403"},
		keyProof{keys: []string{"block-user-agents"}, settings: map[string]string{"block-user-agents": "curl/7, ~*evil.*bot"}, ask: said(get("/", "User-Agent", "an EvilBot"), nil, nil), want: "403"},
		keyProof{settings: map[string]string{"block-user-agents": "curl/7, include, ~(, a\\"}, ask: said(get("/", "User-Agent", "curl/7"), nil, nil), want: "200"}, // as a whole or not at all
		keyProof{keys: []string{"block-referers"}, settings: map[string]string{"block-referers": "~^https?://spam"}, ask: said(get("/", "Referer", "http://spam.example.com"), nil, nil), want: "403"},
		keyProof{keys: []string{"hide-headers"}, settings: map[string]string{"hide-headers": "X-Secret, X-Other"}, prepare: serves, ask: said(get("/"), nil, []string{"X-Secret"}), want: "200|"},
		keyProof{keys: []string{"allow-backend-server-header"}, settings: map[string]string{"allow-backend-server-header": "true"}, prepare: serves, ask: said(get("/"), nil, []string{"Server"}), want: "200|inner"},
		keyProof{keys: []string{"add-headers"}, settings: map[string]string{"add-headers": "sallyport/added"}, prepare: serves, ask: said(get("/"), nil, []string{"X-Frame-Options", "X-Evil"}), want: "200|DENY|"},
		keyProof{keys: []string{"proxy-set-headers"}, settings: map[string]string{"proxy-set-headers": "sallyport/asked"}, prepare: sees,
			ask: said(get("/", "X-Org", "a\"b"), []string{"X-Tenant", "X-Wrong"}, nil), want: `200|of a"b at ` + hostOf(0, "") + `|`},
		keyProof{keys: []string{"proxy-add-original-uri-header"}, settings: map[string]string{"proxy-add-original-uri-header": "true"}, ask: said(get("/a?b=c"), []string{"X-Original-Uri"}, nil), want: "200|/a?b=c"},
		keyProof{keys: []string{"app-root"}, settings: map[string]string{"app-root": "/app"}, ask: func(c client) (string, string) { return short(c.get("/")), "" }, want: "302 http://" + hostOf(0, "") + "/app"},
		keyProof{keys: []string{"default-type"}, settings: map[string]string{"default-type": "text/plain", "disable-ipv6-dns": "true"}, ask: func(c client) (string, string) {
			r := c.site.Do(c.t, cluster.Request{URL: "http://nobody.example.org/healthz"})
			return fmt.Sprint(r.Status), r.Header.Get("Content-Type")
		}, want: "200"},
		keyProof{keys: []string{"ssl-session-ticket-key"}, settings: map[string]string{"ssl-session-tickets": "true", "ssl-session-ticket-key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk8="},
			ask: ticketName, want: "the key's"},
		keyProof{keys: []string{"ssl-early-data"}, settings: map[string]string{"ssl-early-data": "true"}, inner: true,
			ask: func(c client) (string, string) { return short(c.get("/")), "" }, want: "web"},
		keyProof{keys: []string{"worker-cpu-affinity", "variables-hash-max-size", "variables-hash-bucket-size", "map-hash-bucket-size", "server-name-hash-max-size", "server-name-hash-bucket-size",
			"proxy-headers-hash-max-size", "proxy-headers-hash-bucket-size", "enable-aio-write"},
			settings: map[string]string{"worker-cpu-affinity": "auto", "variables-hash-max-size": "4096", "variables-hash-bucket-size": "512", "map-hash-bucket-size": "256",
				"server-name-hash-max-size": "8192", "server-name-hash-bucket-size": "512", "proxy-headers-hash-max-size": "2048", "proxy-headers-hash-bucket-size": "256",
				"enable-aio-write": "true"},
			ask: func(c client) (string, string) { return short(c.get("/")), "" }, want: "web", inner: true},
	)
}

// ticketName says whose key a session's ticket is of: it begins with the key's
// name, which is the key's first 16 bytes.
func ticketName(c client) (string, string) {
	sessions := &anySession{}
	config := &tls.Config{ClientSessionCache: sessions, MaxVersion: tls.VersionTLS12}
	r := c.do(cluster.Request{URL: "https://HOST/", TLS: config})
	if sessions.last == nil {
		return fmt.Sprint(r.Status, " no session"), ""
	}
	ticket, _, err := sessions.last.ResumptionState()
	if err != nil || len(ticket) < 16 {
		return fmt.Sprint("no ticket: ", err), ""
	}
	if string(ticket[:4]) == "\x00\x01\x02\x03" {
		return "the key's", ""
	}
	return "another's", ""
}

// conf is the nginx.conf that is live.
func conf(c client) string {
	files, err := filepath.Glob(c.site.Temp + "/sallyport-*/nginx.conf")
	if err != nil || len(files) != 1 {
		c.t.Fatalf("nginx.conf: %q, %v", files, err)
	}
	return written(files[0])
}
