package test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tufanbarisyildirim/gonginx/parser"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/settings"
	"github.com/sallyport-ingress/sallyport/controller/store"
	"github.com/sallyport-ingress/sallyport/template"
)

// A texts is every text that a tenant or an operator can put into objects.
type texts struct{ host, path, service, port, secret, annotation, setting string }

var harmless = texts{"a.example.org", "/a", "web", "http", "tls", "8k", "8k"}

// harmlessValues are right for at least one key each.
var harmlessValues = []string{
	"20m", "8k", "1", "10", "on", "off", "true", "false", "4 8k", "/a", "TLSv1.2", "10.0.0.0/8", "any", "basic", "digest",
	"a b", "/a /b", "404", "close", "error", "1.1", " ", "GRPC", "HTTPS", "AUTO_HTTP", "GRPCS", "FCGI", "web", "DEFAULT", "http://a.example.org/$request_uri",
	"http://$host/a",
}

// allowedSkeleton is what harmless texts of each type make together, at the
// most.
func allowedSkeleton(t testing.TB) map[string]int {
	t.Helper()
	allowed := map[string]int{}
	for _, value := range harmlessValues {
		for _, service := range []string{"web", ""} {
			for _, host := range []string{"a.example.org", ""} {
				for _, setting := range []string{value, "none"} { // value blocks itself, as a blocked word
					x := harmless
					x.host, x.service, x.setting = host, service, setting
					for _, x.annotation = range []string{value, ""} {
						for path, n := range skeleton(t, x) {
							allowed[path] = max(allowed[path], n)
						}
					}
				}
			}
		}
	}
	return allowed
}

// FuzzSkeleton holds that no text of a user's becomes a directive: whatever
// the objects say, the file has no directive, and no block, that it has not
// with harmless texts.
func FuzzSkeleton(f *testing.F) {
	for _, s := range hostileTexts {
		f.Add(s, s, s)
	}
	allowed := allowedSkeleton(f)
	f.Fuzz(func(t *testing.T, a, b, c string) {
		checkSkeleton(t, allowed, texts{host: a, path: "/" + b, service: c, port: c, secret: b, annotation: a, setting: b})
		checkSkeleton(t, allowed, texts{host: harmless.host, path: a, service: b, port: a, secret: a, annotation: b, setting: c})
	})
}

// TestSkeletonOfHostileTexts runs combinations of the nasty pieces; the seed
// is printed where one fails.
func TestSkeletonOfHostileTexts(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	text := func() string {
		var b strings.Builder
		for range 1 + random.IntN(5) {
			b.WriteString(hostileTexts[random.IntN(len(hostileTexts))])
		}
		return b.String()
	}
	allowed := allowedSkeleton(t)
	const inputs = 3000
	for i := range inputs {
		x := texts{host: text(), path: "/" + text(), service: text(), port: text(), secret: text(), annotation: text(), setting: text()}
		if i%2 == 0 {
			x.host = harmless.host // so that the rest counts
		}
		checkSkeleton(t, allowed, x)
		if t.Failed() {
			t.Fatalf("seed %d, input %d", seed, i)
		}
	}
}

var hostileTexts = []string{
	"", "/", "a", "/a", "\x00", "\n", "\r\n", "\t", " ", "  ", ";", "{", "}", "};", "\"", "'", "\\", "\\\"", "\\n", "$", "$host", "${host}", "#",
	"} location /evil { return 200; }", "\"; } server { listen 1; }", "a;\nload_module x.so;", "~", "~*", "=", "^~", "@x", "*", "*.", "*.a", "..", ".", "-",
	"_", "\u2028", "\u00e9", "\ufffd", "\xff", "\x7f", "\x1b[0m", "%0a", "%00", "[::1]", "a:80", "://", "lua", "content_by_lua_block { }", "]]", "--", "||",
	"include /etc/passwd", "8k", "8k;", "on", "off", "true", "1", "-1", "0", "99999999999999999999", "1e9", "0x10", "x.example.org", "regex(.*)", "(?<x>)", "$(id)", "`id`",
	strings.Repeat("a", 70), strings.Repeat("/b", 1500), strings.Repeat("\\", 999), strings.Repeat("a.", 140),
}

// checkSkeleton compares the directives with those of harmless texts.
func checkSkeleton(t testing.TB, allowed map[string]int, x texts) {
	t.Helper()
	for path, n := range skeleton(t, x) {
		if most, ok := allowed[path]; !ok || n > most {
			t.Fatalf("%s stands there %d times, and %d times with harmless texts; texts: %.200q", path, n, allowed[path], x)
		}
	}
}

// skeleton counts the directives by their path of block names.
func skeleton(t testing.TB, x texts) map[string]int {
	t.Helper()
	conf := hostileConf(t, x)
	parsed, err := parser.NewStringParser(string(conf), parser.WithSkipValidDirectivesErr()).Parse()
	if err != nil {
		t.Fatalf("the file can't be parsed: %v; texts: %.200q", err, x)
	}
	counts := map[string]int{}
	most(counts, "", parsed.Block)
	return counts
}

func hostileConf(t testing.TB, x texts) []byte {
	t.Helper()
	result := build.New(hostileOptions()).Build(hostileSnapshot(x))
	renderer, err := template.New(exampleEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	conf, err := renderer.Conf(result.Config)
	if err != nil {
		t.Fatalf("what the build let through can't be rendered: %v; texts: %+q", err, x)
	}
	return conf.Bytes
}

func hostileOptions() build.Options {
	return build.Options{
		Classes:           build.Classes{WithoutClass: true},
		AnnotationsPrefix: annotation.DefaultPrefix,
		ConfigMap:         store.Key{Namespace: "default", Name: "settings"},
		ModSecurity:       true, CoreRules: true,
	}
}

// hostileSnapshot has each text in every place that takes one.
func hostileSnapshot(x texts) *store.Snapshot {
	ing := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "i", Annotations: map[string]string{}}}
	for _, doc := range annotation.Docs() {
		ing.Annotations[annotation.DefaultPrefix+"/"+doc.Name] = x.annotation
	}
	configMap := &corev1.ConfigMap{Data: map[string]string{}}
	for _, doc := range settings.Docs() {
		configMap.Data[doc.Name] = x.setting
	}
	configMap.Data["strict-validate-path-type"] = "false" // so that the path comes through
	ing.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{x.host}, SecretName: x.secret}}
	rule := networkingv1.IngressRule{Host: x.host}
	rule.HTTP = &networkingv1.HTTPIngressRuleValue{}
	for i, kind := range []networkingv1.PathType{networkingv1.PathTypeExact, networkingv1.PathTypePrefix, networkingv1.PathTypeImplementationSpecific} {
		kind := kind
		rule.HTTP.Paths = append(rule.HTTP.Paths, networkingv1.HTTPIngressPath{
			Path: x.path + fmt.Sprint(i), PathType: &kind,
			Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
				Name: x.service, Port: networkingv1.ServiceBackendPort{Name: x.port},
			}},
		})
	}
	ing.Spec.Rules = []networkingv1.IngressRule{rule}
	return &store.Snapshot{
		Ingresses:  map[store.Key]*networkingv1.Ingress{{Namespace: "default", Name: "i"}: ing},
		ConfigMaps: map[store.Key]*corev1.ConfigMap{{Namespace: "default", Name: "settings"}: configMap},
	}
}
