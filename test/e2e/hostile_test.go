package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// breakouts are texts that end a word, a string, a comment or a block of
// nginx.conf, or start something in it.
var breakouts = []string{
	`;`, `{`, `}`, `"`, `'`, `\`, `#`, "a;}\nreturn 200 owned;", `";} server{listen 1;} #`, "$host", "${request_uri}", "$http_x", `\"`, "a b", "a\tb",
	"a\nb", "a\rb", "a\x00b", "a\x01b", "\x7f", "ü", "\u2028", "*", "..", "%00", "%0a", "$(id)", "`id`", "}}", "{{ .Env.Dir }}", "]]", "--", "@x", "~*", "^~", "= /",
}

// neighbours are the objects of somebody else, which are served whatever comes.
func neighbours(t *testing.T, w *world, net int) {
	t.Helper()
	apps(t, w, net, "web")
	w.Apply(t, web("calm/fine", "fine.example.org", "web").String()+service("calm/web", fmt.Sprintf("10.244.%d.1", net)))
	w.Apply(t, cluster.Issue(t, cluster.ECDSA, "fine.example.org").SecretYAML("calm", "cert"))
}

// unharmed holds that the neighbour is served, that a change of it goes live,
// and that nothing of a hostile text ever worked.
func unharmed(t *testing.T, s *cluster.Sallyport, w *world) {
	t.Helper()
	requests(t, s, "http://fine.example.org/", "web")
	w.Apply(t, web("calm/later", "later.example.org", "web").String())
	becomes(t, s, "http://later.example.org/", "web")
	requests(t, s, "http://fine.example.org/", "web")
	for _, path := range []string{"/", "/a", "/owned"} {
		if r := s.Get(t, "http://fine.example.org"+path); strings.Contains(r.Body, "owned") && r.Seen == nil {
			t.Errorf("a tenant's text became nginx configuration: %s", r.Body)
		}
	}
	if s.Master() == 0 {
		t.Error("there is no nginx")
	}
	w.Delete(t, "Ingress", "calm", "later")
	cluster.Eventually(t, "an Ingress that was deleted is gone", func() error {
		if got := answers(s.Get(t, "http://later.example.org/")); got == "web" {
			return fmt.Errorf("it is served")
		}
		return nil
	})
}

func TestHostilePaths(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		neighbours(t, w, 90)
		accepted := 0
		for _, kind := range []string{"Exact", "Prefix", "ImplementationSpecific"} {
			for i, text := range breakouts {
				o := ingress{name: fmt.Sprintf("bad-%s-%d", strings.ToLower(kind), i), rules: []string{rule(kind, fmt.Sprintf("h%d.example.org", i), "/"+text, "web")}}.String()
				accepted += try(t, w, o)
			}
		}
		accepted += try(t, w, ingress{name: "long", rules: []string{rule("Exact", "long.example.org", "/"+strings.Repeat("a", 5000), "web")}}.String())
		accepted += try(t, w, ingress{name: "long-dollars", rules: []string{rule("Exact", "long.example.org", "/"+strings.Repeat("$", 1900), "web")}}.String())
		if accepted < len(breakouts) {
			t.Fatalf("only %d of the objects were accepted: this test sees little", accepted)
		}
		s := w.launch(t)
		unharmed(t, s, w)
		// What nginx can hold as text is served as text.
		requests(t, s, "http://h23.example.org/..", "400")
		for i, path := range map[int]string{0: "/;", 1: "/{", 2: "/}", 3: `/"`, 4: "/'", 9: "/$host", 22: "/*"} {
			expect(t, s, fmt.Sprintf("http://h%d.example.org%s", i, path), "web")
		}
	})
}

// try applies an object; a cluster may refuse it, then there is nothing to see.
func try(t *testing.T, w *world, text string) int {
	t.Helper()
	if w.name == "folder" {
		w.Apply(t, text)
		return 1
	}
	if err := w.cluster().TryApply(text); err != nil {
		return 0
	}
	return 1
}

// No API server accepts these; a folder has none.
func TestHostileHostsInAFolder(t *testing.T) {
	w := inFolder(t)
	neighbours(t, w, 91)
	for i, text := range append(breakouts, "*.*.example.org", "a.*.example.org", "~^a", "_", ".example.org", "-", strings.Repeat("a", 300), "a..b", "10.0.0.1", "[::1]") {
		name := fmt.Sprintf("bad-%d", i)
		w.Apply(t, ingress{name: name, rules: []string{rule("Prefix", text, "/", "web"), rule("Prefix", fmt.Sprintf("ok%d.example.org", i), "/", "web")}, tls: []string{"x=" + strings.ReplaceAll(text, ",", "")}}.String())
	}
	s := w.launch(t)
	unharmed(t, s, w)
	// The rest of a bad Ingress is served, and the problem names it and the field.
	requests(t, s, "https://ok0.example.org/", "web", "https://ok7.example.org/", "web")
	logged(t, s, "default/bad-0", "spec.rules[0].host")
	logged(t, s, "default/bad-7", "spec.rules[0].host")
}

func TestHostileAnnotations(t *testing.T) {
	names := []string{
		"proxy-body-size", "proxy-buffer-size", "proxy-buffers-number", "proxy-connect-timeout", "proxy-read-timeout", "proxy-send-timeout", "proxy-buffering",
		"proxy-request-buffering", "ssl-redirect", "force-ssl-redirect", "preserve-trailing-slash", "client-body-buffer-size", "proxy-max-temp-file-size",
		"configuration-snippet", "server-snippet", "auth-url", "rewrite-target", "permanent-redirect", "server-alias", "upstream-vhost", "no-such-annotation",
	}
	eachSource(t, func(t *testing.T, w *world) {
		neighbours(t, w, 92)
		for i, name := range names {
			text := breakouts[(7+i)%len(breakouts)]
			o := web(fmt.Sprint("bad-", i), fmt.Sprintf("h%d.example.org", i), "web")
			o.annotations = map[string]string{"nginx.ingress.kubernetes.io/" + name: "1" + text + ";} server{return 200 owned;}"}
			w.Apply(t, o.String())
		}
		s := w.launch(t)
		unharmed(t, s, w)
		logged(t, s, "default/bad-0", "proxy-body-size")
		if w.name == "cluster" {
			event(t, w, "Ingress", "default", "bad-0", "Warning", "proxy-body-size")
		}
	})
}

// Values that are in range each by itself and that nginx refuses all the same,
// or that are far out of range.
func TestValuesThatNginxWouldRefuse(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		neighbours(t, w, 93)
		values := map[string]string{
			"proxy-buffer-size": "99999999999999999999k", "proxy-buffers-number": "1", "proxy-body-size": "9223372036854775807g",
			"proxy-read-timeout": "99999999999999", "proxy-max-temp-file-size": "1", "proxy-connect-timeout": "-1",
		}
		i := 0
		for name, value := range values {
			o := web(fmt.Sprint("bad-", i), fmt.Sprintf("h%d.example.org", i), "web")
			o.annotations = map[string]string{"nginx.ingress.kubernetes.io/" + name: value}
			w.Apply(t, o.String())
			i++
		}
		s := w.launch(t)
		unharmed(t, s, w)
		for name := range values {
			if strings.HasSuffix(name, "temp-file-size") || name == "proxy-buffers-number" {
				continue // odd, and yet something nginx can be told
			}
			logged(t, s, "default/bad-", name)
		}
	})
}

func TestHostileConfigMap(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		neighbours(t, w, 94)
		var data []string
		for i, key := range []string{
			"log-format-upstream", "ssl-ciphers", "ssl-protocols", "ssl-ecdh-curve", "error-log-level", "access-log-path", "keep-alive", "worker-processes",
			"proxy-body-size", "hsts-max-age", "proxy-next-upstream", "http-snippet", "main-snippet", "large-client-header-buffers", "no-such-key", "http-redirect-code",
		} {
			data = append(data, fmt.Sprintf("%s: %q", key, "1"+breakouts[i]+";} return 200 owned; {"))
		}
		w.Apply(t, configMap(data...))
		s := w.launch(t, "--configmap=sallyport/sallyport")
		unharmed(t, s, w)
		logged(t, s, "sallyport/sallyport", "ssl-protocols")
	})
}

// Objects with parts that are missing, none of which a cluster would hold.
func TestObjectsWithHoles(t *testing.T) {
	w := inFolder(t)
	neighbours(t, w, 95)
	dir := w.source.(*folder).dir
	for i, text := range []string{
		"", "---\n---\n", "null", "[]", "42", "kind: Ingress", "apiVersion: networking.k8s.io/v1\nkind: Ingress\n",
		"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a}\nspec: null\n",
		"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: b}\nspec: {ingressClassName: nginx, rules: [{}, {http: {}}, {http: {paths: [{}]}}, {http: {paths: [{path: /x, backend: {service: {}}}]}}]}\n",
		"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: c}\nspec: {ingressClassName: nginx, rules: [{host: c.example.org, http: {paths: [{path: x, pathType: Prefix, backend: {service: {name: web, port: {number: 99999}}}}]}}]}\n",
		"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: d}\nspec: {ingressClassName: nginx, rules: [{host: d.example.org, http: {paths: [{path: /, pathType: Sometimes, backend: {resource: {kind: Bucket, name: b}}}]}}], tls: [{}, {hosts: [null]}]}\n",
		"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: e}\nspec: {ingressClassName: nginx, rules: hello}\n",
		"apiVersion: v1\nkind: Service\nmetadata: {name: holes}\n", "apiVersion: v1\nkind: Service\nmetadata: {name: holes2}\nspec: {ports: [{}, {port: -1}]}\n",
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\n",
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s2, labels: {kubernetes.io/service-name: web}}\naddressType: IPv4\nports: [{port: null}]\nendpoints: [{addresses: []}, {addresses: [nonsense, '10.244.95.1 ; return 200']}]\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {tls.crt: '***'}\n", "a: &a [*a]", "a: &a [b,b]\nb: &b [*a,*a]\n", "\x00\x01", "{\"kind\": \"Ingress\"", strings.Repeat("{a: ", 20000),
	} {
		put(t, text, dir, fmt.Sprintf("hole-%02d.yaml", i))
	}
	s := w.launch(t)
	unharmed(t, s, w)
}
