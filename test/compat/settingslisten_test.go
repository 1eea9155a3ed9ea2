package compat

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// reached says who answers at which address, by HTTP and HTTPS.
func reached(addresses ...string) func(c client) (string, string) {
	return func(c client) (string, string) {
		var all []string
		for _, a := range addresses {
			for _, scheme := range []string{"http", "https"} {
				r, err := c.site.Try(cluster.Request{URL: scheme + "://" + c.host + "/", Address: a})
				got := "nobody"
				if err == nil {
					got = short(r)
				}
				all = append(all, got)
			}
		}
		return strings.Join(all, " "), ""
	}
}

// byTenant says what comes of four requests, each with a header's value.
func byTenant(values ...string) func(c client) (string, string) {
	return func(c client) (string, string) {
		var all []string
		for _, v := range values {
			q := cluster.Request{URL: "http://HOST/", Header: http.Header{}}
			if v != "" {
				q.Header.Set("X-Tenant", v)
			}
			all = append(all, short(c.do(q)))
		}
		return strings.Join(all, " "), ""
	}
}

// byName has a Service of a name with addresses of both families.
func byName() keyProof {
	p := one("disable-ipv6-dns", "true", "four", func(c client) string {
		for range 20 {
			if got := short(c.get("/")); got != "four" {
				return got
			}
		}
		return "four"
	})
	p.service = "external"
	p.prepare = func(t *testing.T, p *keyProof, g *site) {
		cluster.Echo(t, "four", g.address(10)+":80")
		cluster.Echo(t, "six", "[fd00:10:244::10]:80")
		cluster.StartDNS(t).Set(t, "db.example.com", "db.example.com. 60 IN A "+g.address(10), "db.example.com. 60 IN AAAA fd00:10:244::10")
		p.more = "apiVersion: v1\nkind: Service\nmetadata: {name: external, namespace: default}\nspec: {type: ExternalName, externalName: db.example.com, ports: [{port: 80}]}\n"
	}
	return p
}

// What a client encodes can't become a header of its own, or a request: no header
// takes a variable that holds it.
func decodedText() keyProof {
	p := keyProof{settings: map[string]string{"proxy-set-headers": "sallyport/asked"},
		more: more("asked", "X-User: of $remote_user", "X-Path: at ${uri}", "X-Name: as $ssl_server_name", "X-Whole: $request_uri")}
	p.want = "200||||/a%0d%0aX-Evil:%201|"
	p.ask = func(c client) (string, string) {
		h := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("joe\r\n\r\nGET /x HTTP/1.0\r\n\r\n:x"))}}
		return said(cluster.Request{URL: "http://HOST/a%0d%0aX-Evil:%201", Header: h}, []string{"X-User", "X-Path", "X-Name", "X-Whole", "X-Evil"}, nil)(c)
	}
	return p
}

// The keys for where nginx listens, and whom it counts by.
func listenKeys() map[string]keyProof {
	limited := func(_ *testing.T, p *keyProof, _ *site) {
		p.more = proof{annotations: map[string]string{"limit-rpm": "1", "limit-burst-multiplier": "1"}}.manifest(1, "")
	}
	limit := func(ask func(client) (string, string)) func(client) (string, string) {
		return func(c client) (string, string) { c.host = hostOf(1, ""); return ask(c) }
	}
	long := strings.Repeat("x", 900)
	counters := func(address string) func(client) string {
		return func(c client) string {
			r := c.do(cluster.Request{URL: "http://nobody.example.org/nginx_status", Address: address})
			return fmt.Sprint(r.Status, " ", strings.HasPrefix(r.Body, "Active connections: "))
		}
	}
	return numbered(
		decodedText(),
		one("nginx-status-ipv4-whitelist", "203.0.113.0/24, 127.0.0.1", "200 true", counters("127.0.0.1")),
		one("nginx-status-ipv4-whitelist", "203.0.113.0/24, 127.0.0.0/8", "403 false", counters("::1")),
		one("nginx-status-ipv6-whitelist", "::1", "200 true", counters("::1")),
		byName(),
		keyProof{keys: []string{"bind-address"}, settings: map[string]string{"bind-address": "127.0.0.2, ::1"}, ask: reached("127.0.0.1", "127.0.0.2", "::1"), want: "nobody nobody web web web web"},
		keyProof{keys: []string{"disable-ipv6"}, settings: map[string]string{"disable-ipv6": "true"}, ask: reached("127.0.0.1", "::1"), want: "web web nobody nobody"},
		keyProof{keys: []string{"bind-address", "disable-ipv6"}, settings: map[string]string{"bind-address": "127.0.0.2, ::1", "disable-ipv6": "true"},
			ask: reached("127.0.0.1", "127.0.0.2", "::1"), want: "nobody nobody web web nobody nobody"},
		keyProof{settings: map[string]string{"bind-address": "127.0.0.2; } evil"}, ask: reached("127.0.0.1"), want: "web web"},
		// An address that the machine has not is left out; with none left, nobody from outside is let in.
		keyProof{settings: map[string]string{"bind-address": "127.0.0.2, 203.0.113.9"}, ask: reached("127.0.0.1", "127.0.0.2"), want: "nobody nobody web web"},
		keyProof{settings: map[string]string{"bind-address": "203.0.113.9"}, ask: reached("127.0.0.1", "127.0.0.2"), want: "web web nobody nobody"},
		// Each tenant has two requests; who is of none is not counted.
		keyProof{keys: []string{"limit-conn-zone-variable"}, settings: map[string]string{"limit-conn-zone-variable": "$http_x_tenant"}, prepare: limited,
			ask: limit(byTenant("a", "a", "a", "b", long, long, long, "", "", "")), want: "web web 503 web web web 503 web web web"},
		keyProof{settings: map[string]string{"limit-conn-zone-variable": "$http_x_tenant$uri"}, prepare: limited, ask: limit(byTenant("a", "b", "c")), want: "web web 503"},
	)
}
