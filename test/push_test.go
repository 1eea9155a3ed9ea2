package test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// A push is two sets of annotations, on what is data. "" takes one away. Those of
// both are there in both cases.
type push struct {
	name          string
	both          map[string]string
	before, after map[string]string
	canary        bool // they are the canary's
}

// value is a push of one key.
func value(key, before, after string, both ...string) push {
	p := push{name: key, both: map[string]string{}, before: map[string]string{}, after: map[string]string{}}
	for i := 0; i < len(both); i += 2 {
		p.both[both[i]] = both[i+1]
	}
	set := func(m map[string]string, v string) {
		if v != "" {
			m[key] = v
		}
	}
	set(p.before, before)
	set(p.after, after)
	return p
}

func ofCanary(key, before, after string, both ...string) push {
	p := value(key, before, after, both...)
	p.name, p.canary = "canary's "+key, true
	return p
}

func pushes() []push {
	const x, y = "https://x.example.org", "http://y.example.org$request_uri"
	all := []push{
		value("rewrite-target", "/x/$2", "/y/$1?z=$2"),
		value("x-forwarded-prefix", "/x", "/y/$1", "rewrite-target", "/$2"),
		value("app-root", "/x", "/y"),
		value("permanent-redirect", x, y),
		value("permanent-redirect-code", "301", "308", "permanent-redirect", x),
		value("temporal-redirect", x, y),
		value("temporal-redirect-code", "302", "307", "temporal-redirect", x),

		ofCanary("canary-weight", "10", "90"), ofCanary("canary-weight", "", "90"),
		ofCanary("canary-weight-total", "", "1000", "canary-weight", "10"),
		ofCanary("canary-by-header", "X-A", "X-B"), ofCanary("canary-by-header", "", "X-B"),
		ofCanary("canary-by-header-value", "a", "b", "canary-by-header", "X-A"), ofCanary("canary-by-header-value", "", "b", "canary-by-header", "X-A"),
		ofCanary("canary-by-header-pattern", "^a", "^b", "canary-by-header", "X-A"), ofCanary("canary-by-header-pattern", "", "^b", "canary-by-header", "X-A"),
		ofCanary("canary-by-cookie", "a", "b"), ofCanary("canary-by-cookie", "", "b"),
		ofCanary("affinity", "", "cookie"),
		ofCanary("affinity-canary-behavior", "", "legacy"),
		ofCanary("session-cookie-name", "a", "b", "affinity", "cookie"),
		ofCanary("upstream-hash-by", "", "$remote_addr"),
		ofCanary("load-balance", "round_robin", "ewma"),

		value("affinity", "", "cookie"),
		value("upstream-hash-by", "", "$remote_addr"), value("upstream-hash-by", "$remote_addr", "$request_uri"),
		value("upstream-hash-by-subset", "", "true", "upstream-hash-by", "$uri"),
		value("upstream-hash-by-subset-size", "", "9", "upstream-hash-by", "$uri", "upstream-hash-by-subset", "true"),
		value("load-balance", "round_robin", "ewma"), value("load-balance", "ewma", "chash"),
		value("upstream-hash-by", "", "$uri", "load-balance", "ewma"),
		value("service-upstream", "", "true"),

		value("limit-allowlist", "10.0.0.0/8", "fd00::/8,192.0.2.1", "limit-rps", "5"), value("limit-allowlist", "", "192.0.2.1", "limit-rps", "5"),
		value("limit-rps", "5", "6"), value("limit-rpm", "5", "6"), value("limit-connections", "5", "6"),
		value("limit-burst-multiplier", "", "2", "limit-rps", "5"),

		value("upstream-vhost", "a.example.org", "$service_name.$namespace"),
		value("custom-headers", "first", "second"),
	}
	for key, values := range map[string][2]string{
		"affinity-mode": {"", "persistent"}, "affinity-canary-behavior": {"", "legacy"},
		"session-cookie-name": {"", "route"}, "session-cookie-path": {"", "/x"}, "session-cookie-domain": {"", "example.org"},
		"session-cookie-expires": {"", "60"}, "session-cookie-max-age": {"", "60"}, "session-cookie-samesite": {"Lax", "Strict"},
		"session-cookie-conditional-samesite-none": {"", "true"}, "session-cookie-secure": {"", "true"}, "session-cookie-change-on-failure": {"", "true"},
	} {
		all = append(all, value(key, values[0], values[1], "affinity", "cookie"))
	}
	for key, values := range map[string][2]string{
		"cors-allow-origin": {"https://a.example.org", "https://*.b.example.org"}, "cors-allow-methods": {"GET", "GET, PUT"}, "cors-allow-headers": {"X-A", "X-B"},
		"cors-expose-headers": {"", "X-B"}, "cors-max-age": {"1", "2"}, "cors-allow-credentials": {"", "false"},
	} {
		all = append(all, value(key, values[0], values[1], "enable-cors", "true", "cors-allow-origin", "https://c.example.org"))
	}
	for key, values := range map[string][2]string{
		"auth-method": {"", "POST"}, "auth-signin": {x, y}, "auth-signin-redirect-param": {"", "next"}, "auth-response-headers": {"", "X-A"},
		"auth-request-redirect": {"", "/x"}, "auth-always-set-cookie": {"", "true"}, "auth-proxy-set-headers": {"first", "second"},
		"auth-keepalive": {"", "5"}, "auth-cache-duration": {"", "200 1m"},
	} {
		both := []string{"auth-url", "http://10.0.0.1/", "auth-cache-key", "$remote_addr"}
		if strings.HasPrefix(key, "auth-signin-") {
			both = append(both, "auth-signin", x)
		}
		all = append(all, value(key, values[0], values[1], both...))
	}
	return append(all,
		value("auth-url", "http://10.0.0.1/", "https://10.0.0.2:8443/x?y=z"), value("auth-url", "http://10.0.0.1/", "http://$host/x"),
		value("auth-cache-key", "$remote_addr", "$http_authorization", "auth-url", "http://10.0.0.1/"))
}

// What is data must leave nginx.conf as it is: then a change is a push, and no
// reload.
func TestChangeIsPush(t *testing.T) {
	for _, p := range pushes() {
		t.Run(p.name, func(t *testing.T) {
			before, after := rendered(t, p, p.before), rendered(t, p, p.after)
			if before["problems"] != "" || after["problems"] != "" {
				t.Errorf("problems: %s%s", before["problems"], after["problems"])
			}
			if before["nginx.conf"] != after["nginx.conf"] {
				t.Error("nginx.conf is another one")
			}
			if before["data"] == after["data"] {
				t.Error("the data is the same")
			}
		})
	}
}

// With metrics, nginx calls Lua at the end of each request in any case.
func TestAlgorithmIsPushWithMetrics(t *testing.T) {
	for _, p := range []push{value("load-balance", "", "ewma"), ofCanary("load-balance", "", "ewma")} {
		const flags = "-- flags --\n--enable-metrics\n"
		before, after := render(t, txtar.Parse([]byte(flags+pushed(p, p.before)))), render(t, txtar.Parse([]byte(flags+pushed(p, p.after))))
		if before["nginx.conf"] != after["nginx.conf"] || before["data"] == after["data"] {
			t.Errorf("%s: nginx.conf is another one, or the data the same", p.name)
		}
	}
}

// So is a change of a ConfigMap that an annotation names.
func TestChangeOfAReferenceIsPush(t *testing.T) {
	for _, key := range []string{"custom-headers", "auth-proxy-set-headers"} {
		t.Run(key, func(t *testing.T) {
			p := value(key, "", "", key, "first", "auth-url", "http://10.0.0.1/")
			text := pushed(p, nil)
			before, after := render(t, txtar.Parse([]byte(text))), render(t, txtar.Parse([]byte(strings.Replace(text, "X-One: one", "X-One: two", 1))))
			if before["nginx.conf"] != after["nginx.conf"] || before["data"] == after["data"] {
				t.Error("nginx.conf is another one, or the data the same")
			}
		})
	}
}

func rendered(t *testing.T, p push, own map[string]string) map[string]string {
	t.Helper()
	return render(t, txtar.Parse([]byte(pushed(p, own))))
}

// pushed are an Ingress and its canary, of which one has the annotations.
func pushed(p push, own map[string]string) string {
	all := maps.Clone(p.both)
	maps.Copy(all, own)
	var b strings.Builder
	for _, name := range sorted(all) {
		fmt.Fprintf(&b, "    nginx.ingress.kubernetes.io/%s: %q\n", name, all[name])
	}
	main, canary := b.String(), ""
	if p.canary {
		main, canary = canary, main
	}
	return strings.NewReplacer("MAIN\n", main, "CANARY\n", canary).Replace(pushObjects)
}

const pushObjects = `
-- objects.yaml --
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  namespace: default
  annotations:
    nginx.ingress.kubernetes.io/use-regex: "true"
MAIN
spec:
  ingressClassName: nginx
  rules:
  - host: a.example.org
    http: {paths: [{pathType: ImplementationSpecific, path: "/(a?)(.*)", backend: {service: {name: web, port: {number: 80}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: canary
  namespace: default
  annotations:
    nginx.ingress.kubernetes.io/canary: "true"
CANARY
spec:
  ingressClassName: nginx
  rules:
  - host: a.example.org
    http: {paths: [{pathType: ImplementationSpecific, path: "/(a?)(.*)", backend: {service: {name: next, port: {number: 80}}}}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.1, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: next, namespace: default}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: first, namespace: default}
data: {X-One: one}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: second, namespace: default}
data: {X-Two: two}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data: {global-allowed-response-headers: "X-One, X-Two"}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
`
