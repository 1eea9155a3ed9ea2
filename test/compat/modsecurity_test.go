package compat

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

const (
	// As ingress-nginx's users wrote them: it put them between quotes.
	secSnippet = "SecRuleEngine On\nSecRule ARGS:a \"@streq evil\" \\\n  \"id:107,phase:2,\\\n  deny,status:418,log,msg:\\'no\\'\""
	attack     = "/?q=%3Cscript%3Ealert(1)%3C/script%3E"
)

// posts asks for a path with a body.
func posts(path, kind, body, want string) probe {
	return probe{"a body " + body, func(c client) string {
		r := c.do(cluster.Request{Method: "POST", URL: "http://HOST" + path, Header: http.Header{"Content-Type": {kind}}, Body: body})
		return short(r)
	}, want}
}

// blockedAs is what ModSecurity's entry of the error log calls a request that
// it refused.
func blockedAs(id string) func(c client) string {
	return func(c client) string {
		r := c.do(cluster.Request{URL: "http://HOST/?a=evil", Header: http.Header{"X-Request-ID": {id}}})
		said := ""
		for line := range strings.Lines(c.site.Log()) {
			if strings.Contains(line, c.host) && strings.Contains(line, "Access denied") {
				_, rest, _ := strings.Cut(line, `[unique_id "`)
				said, _, _ = strings.Cut(rest, `"`)
			}
		}
		return fmt.Sprint(r.Status, " ", said)
	}
}

// audited says whether the request's entry of the audit log comes, which nginx
// writes when the answer is out.
func audited(path, id string) func(c client) string {
	return func(c client) string {
		c.do(cluster.Request{URL: "http://HOST" + path, Header: http.Header{"X-Request-ID": {id + c.host}}})
		// The line of a later request comes after this one's.
		other := client{c.t, c.site, hostOf(0, "")}
		other.get("/mark-" + id + c.host)
		cluster.Eventually(c.t, "the later request's line", func() error {
			if !strings.Contains(c.site.AccessLog(), "/mark-"+id+c.host) {
				return fmt.Errorf("not there")
			}
			return nil
		})
		for line := range strings.Lines(c.site.AccessLog()) {
			if strings.HasPrefix(line, `{"transaction":`) && strings.Contains(line, `"unique_id":"`+id+c.host+`"`) {
				return "told"
			}
		}
		return "not told"
	}
}

func modSecurityGroup() group {
	return group{
		name: "modsecurity", settings: map[string]string{"allow-snippet-annotations": "true", "annotations-risk-level": "Critical"},
		cases: []proof{
			{
				keys: []string{"enable-modsecurity", "modsecurity-snippet"}, annotations: map[string]string{"enable-modsecurity": "true", "modsecurity-snippet": secSnippet},
				probes: []probe{
					gets("/?a=evil", "418"), gets("/?a=good", "web"), gets("/?b=evil", "web"),
					// Others' Core Rule Set is not in force here.
					gets(attack, "web"),
					posts("/", "application/x-www-form-urlencoded", "b=1&a=evil", "418"), posts("/", "application/x-www-form-urlencoded", "a=good", "web"),
				},
			}, {
				keys:        []string{"enable-owasp-core-rules", "enable-modsecurity", "modsecurity-snippet"},
				annotations: map[string]string{"enable-modsecurity": "true", "enable-owasp-core-rules": "true", "modsecurity-snippet": "SecRuleEngine On"},
				probes: []probe{
					gets(attack, "403"), gets("/?q=good", "web"), posts("/", "application/json", `{"q": "1' or '1'='1' -- "}`, "403"), posts("/", "application/json", `{"q": 1}`, "web"),
				},
			}, {
				// By itself it only detects.
				annotations: map[string]string{"enable-modsecurity": "true", "enable-owasp-core-rules": "true"},
				probes:      []probe{gets(attack, "web")},
			}, {
				annotations: map[string]string{"enable-modsecurity": "true", "modsecurity-snippet": "Include /etc/nginx/owasp-modsecurity-crs/nginx-modsecurity.conf\nSecRuleEngine On\nSecRuleRemoveById 941000-941999"},
				probes:      []probe{gets(attack, "web"), gets("/?q=../../etc/passwd", "403")},
			}, {
				keys: []string{"modsecurity-transaction-id"},
				annotations: map[string]string{
					"enable-modsecurity": "true", "modsecurity-snippet": secSnippet + "\nSecAuditEngine On", "modsecurity-transaction-id": "$http_x_request_id",
				},
				probes: []probe{{"the error log", blockedAs("abc-1"), "418 abc-1"}, {"the audit log", audited("/", "audit-"), "told"}},
			}, {
				// Its own word for what block means counts, not that of others' Core Rule Set.
				annotations: map[string]string{
					"enable-modsecurity": "true", "modsecurity-snippet": "SecRuleEngine On\nSecRule ARGS:a evil \"id:1,phase:1,block\"\nSecDefaultAction \"phase:1,deny,status:402\"",
				},
				probes: []probe{gets("/?a=evil", "402"), gets("/", "web")},
			}, {
				// A page for what is refused: it stays refused.
				annotations: map[string]string{
					"enable-modsecurity": "true", "modsecurity-snippet": strings.Replace(secSnippet, "status:418,", "", 1), "custom-http-errors": "403", "default-backend": "other",
				},
				probes: []probe{{"a page", func(c client) string {
					r := c.get("/?a=evil")
					return fmt.Sprint(r.Status, " ", r.Seen.Backend, " ", r.Seen.Header.Get("X-Code"))
				}, "403 other 403"}},
			}, {
				// Beside what Lua does with the same request.
				keys: []string{"modsecurity-snippet"},
				annotations: map[string]string{
					"enable-modsecurity": "true", "modsecurity-snippet": secSnippet, "use-regex": "true", "rewrite-target": "/b/$1", "affinity": "cookie", "limit-rps": "1000", "enable-cors": "true",
				},
				paths: []string{"ImplementationSpecific /a/(.*)"},
				probes: []probe{
					gets("/a/x?a=evil", "418"),
					{"a rewrite", func(c client) string {
						r := c.do(cluster.Request{Method: "POST", URL: "http://HOST/a/x?c=1", Header: http.Header{"Content-Type": {"text/plain"}}, Body: "hello"})
						return fmt.Sprint(r.Status, " ", r.Seen.URI, " ", r.Seen.Body, " ", r.Header.Get("Set-Cookie") != "")
					}, "200 /b/x?c=1 5 true"},
				},
			},
		},
	}
}

// The ConfigMap turns it on for all; one Ingress wants the Core Rule Set, and
// reads it itself.
func modSecuritySettingsGroup() group {
	return group{
		name: "modsecurity settings",
		settings: map[string]string{
			"allow-snippet-annotations": "true", "annotations-risk-level": "Critical", "enable-modsecurity": "true",
			"modsecurity-snippet": "SecRuleEngine On\nSecRule ARGS:a \"@streq evil\" \"id:10,phase:2,deny,status:418\"",
		},
		cases: []proof{
			{
				keys: []string{"enable-modsecurity"}, annotations: map[string]string{"enable-modsecurity": "false"},
				probes: []probe{gets("/?a=evil", "web"), gets(attack, "web")},
			}, {
				keys: []string{"enable-owasp-core-rules"}, annotations: map[string]string{"enable-owasp-core-rules": "true"},
				probes: []probe{gets("/?a=evil", "418"), gets(attack, "403"), gets("/", "web")},
			}, {
				keys: []string{"modsecurity-snippet"}, annotations: map[string]string{"modsecurity-snippet": "SecRule ARGS:b evil \"id:11,phase:2,deny,status:402\""},
				probes: []probe{gets("/?a=evil", "418"), gets("/?b=evil", "402"), gets("/", "web")},
			},
		},
	}
}
