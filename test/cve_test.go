package test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/tufanbarisyildirim/gonginx/config"
	"github.com/tufanbarisyildirim/gonginx/parser"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/store"
	"github.com/sallyport-ingress/sallyport/template"
)

// An attack is what a tenant wrote to have a directive, here "pwned", of its own
// in nginx.conf.
type attack struct {
	annotations map[string]string
	path        string
	uid         string
	configMap   map[string]string // named "mine"
	settings    map[string]string // of the operator, who was careless
}

func by(key, value string) attack { return attack{annotations: map[string]string{key: value}} }

var careless = map[string]string{"allow-snippet-annotations": "true", "annotations-risk-level": "Critical"}

// cves are the holes of ingress-nginx, and of nginx behind it, by which that was
// done. Those that are not of that kind are proven where in says.
var cves = []struct {
	id      string
	attacks []attack
	in      string
}{
	{id: "CVE-2020-8553", in: "compat/basicauth_test.go"},
	{id: "CVE-2021-25742", attacks: []attack{
		by("configuration-snippet", "pwned x;"), by("server-snippet", "pwned x;"), by("auth-snippet", "pwned x;"),
		{annotations: map[string]string{"configuration-snippet": "pwned x;"}, settings: careless},
		{annotations: map[string]string{"server-snippet": "gzip on; } location /x { pwned x;"}, settings: careless},
	}},
	{id: "CVE-2021-25745", attacks: []attack{{path: "/a;}location~/x{alias/var/run/secrets/;pwned x;}"}, {path: "/a { } location /token { alias /var/run/secrets/; pwned x; }"}}},
	{id: "CVE-2021-25746", attacks: everyAnnotation("x;\n}\npwned x;\n{", "x; pwned x; #", "\"; pwned x; #", "'; pwned x; #")},
	{id: "CVE-2021-25748", attacks: []attack{{path: "/a\n{}\npwned x;"}, {path: "/a\r{}\rpwned x;"}}},
	{id: "CVE-2022-4886", attacks: []attack{{path: "/a/${pwned x;}"}, {path: "/a'; pwned x; log_format y 'z"}, {path: "/a\\\" {} pwned x;"}}},
	{id: "CVE-2023-5043", attacks: []attack{
		{annotations: map[string]string{"configuration-snippet": "content_by_lua_block { pwned x; }"}, settings: careless},
		{annotations: map[string]string{"configuration-snippet": "more_set_headers \"a: b\";\n#\npwned x;"}, settings: careless},
	}},
	{id: "CVE-2023-5044", attacks: []attack{by("permanent-redirect", "https://a.example.org/;pwned x;"), by("permanent-redirect", "https://a.example.org/\";\npwned x;\n#"), by("temporal-redirect", "https://a.example.org/${pwned x;}")}},
	{id: "CVE-2024-7646", attacks: []attack{by("permanent-redirect", "https://a.example.org/\rpwned x;"), by("auth-tls-verify-client", "on;\npwned x;"), by("auth-tls-error-page", "https://a/\rpwned x;")}},
	{id: "CVE-2025-1097", attacks: []attack{by("auth-tls-match-cn", "CN=abc #(\n){}\n}}\npwned x;"), by("auth-tls-match-cn", "CN=a\"){ pwned x; }")}},
	{id: "CVE-2025-1098", attacks: []attack{{annotations: map[string]string{"mirror-target": "https://a.example.org/$request_uri"}, uid: "1;\n}\npwned x;\n{"}, by("mirror-host", "a;\npwned x;"), by("mirror-target", "https://a/;pwned x;")}},
	{id: "CVE-2025-24513", in: "compat/basicauth_test.go"},
	{id: "CVE-2025-24514", attacks: []attack{by("auth-url", "http://example.com/#;\npwned x;"), by("auth-url", "http://example.com/?a=\";pwned x;"), by("auth-url", "http://example.com:80;pwned x;/")}},
	{id: "CVE-2025-15566", attacks: []attack{
		{annotations: map[string]string{"auth-url": "http://10.1.2.3/", "auth-proxy-set-headers": "mine"}, configMap: map[string]string{"X-A": "b\";\npwned x;\n#", "X-B": "c; pwned x;"}},
		{annotations: map[string]string{"custom-headers": "mine"}, configMap: map[string]string{"X-A": "b\";\npwned x;\n#"}, settings: map[string]string{"global-allowed-response-headers": "X-A"}},
		{annotations: map[string]string{"backend-protocol": "FCGI", "fastcgi-params-configmap": "mine"}, configMap: map[string]string{"A": "b\";\npwned x;\n#", "B": "${pwned x;}"}},
	}},
	{id: "CVE-2026-1580", attacks: []attack{{annotations: map[string]string{"auth-url": "http://10.1.2.3/", "auth-method": "GET;\npwned x;"}}, {annotations: map[string]string{"auth-url": "http://10.1.2.3/", "auth-method": "xGET; pwned x;"}}}},
	{id: "CVE-2026-24512", attacks: []attack{{path: "/a\" { } pwned x; location \"/b"}, {path: "/a\"\n{}\npwned x;\nlocation \"/b"}}},
	{id: "CVE-2026-24513", in: "compat/auth_test.go"},
	{id: "CVE-2026-3288", attacks: []attack{
		{annotations: map[string]string{"use-regex": "true", "rewrite-target": "/$1\";\npwned x;\n#"}, path: "/a/(.*)"},
		{annotations: map[string]string{"rewrite-target": "/x"}, path: "/a\" break; pwned x; #(.*)"},
		by("rewrite-target", "/x break; pwned x;"), by("server-alias", "b.example.org; pwned x;"),
	}},
	{id: "CVE-2025-1974", in: "e2e/admission_test.go"},
	{id: "CVE-2026-24514", in: "e2e/admission_test.go"},
	{id: "CVE-2026-4342", attacks: []attack{{path: "/a\npwned x;\n#"}, {path: "/a # \n pwned x;"}}},
}

func everyAnnotation(values ...string) []attack {
	var all []attack
	for _, value := range values {
		for _, doc := range annotation.Docs() {
			all = append(all, by(doc.Name, value))
		}
	}
	return all
}

func TestCVEs(t *testing.T) {
	n, environment := realNginx(t)
	for _, cve := range cves {
		t.Run(cve.id, func(t *testing.T) {
			for _, a := range cve.attacks {
				result := build.New(hostileOptions()).Build(a.snapshot())
				if err := unharmed(environment, result); err != nil {
					t.Errorf("%v; %+q", err, a)
				}
				if len(cve.attacks) < 20 { // the fuzz test has nginx read those
					takes(t, n, environment, result)
				}
			}
			if cve.in == "" {
				return
			}
			if text, err := os.ReadFile(cve.in); err != nil || !strings.Contains(string(text), cve.id) {
				t.Errorf("%s does not prove it: %v", cve.in, err)
			}
		})
	}
}

func (a attack) snapshot() *store.Snapshot {
	path, kind := a.path, networkingv1.PathTypeImplementationSpecific
	if path == "" {
		path = "/"
	}
	ing := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "i", UID: types.UID(a.uid)}}
	ing.Annotations = map[string]string{}
	for key, value := range a.annotations {
		ing.Annotations[annotation.DefaultPrefix+"/"+key] = value
	}
	backend := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80}}}
	ing.Spec.Rules = []networkingv1.IngressRule{{Host: "a.example.org", IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
		Paths: []networkingv1.HTTPIngressPath{{Path: path, PathType: &kind, Backend: backend}},
	}}}}
	return &store.Snapshot{
		Ingresses: map[store.Key]*networkingv1.Ingress{{Namespace: "default", Name: "i"}: ing},
		ConfigMaps: map[store.Key]*corev1.ConfigMap{
			{Namespace: "default", Name: "settings"}: {Data: a.settings}, {Namespace: "default", Name: "mine"}: {Data: a.configMap},
		},
	}
}

var digest = regexp.MustCompile(`^[0-9a-f]+$`)

// unharmed holds that a file has no directive of that name, that no comment of it
// is a tenant's, and that no name of a file is.
func unharmed(environment template.Environment, result *build.Result) error {
	for id := range result.Config.Files {
		if !digest.MatchString(string(id)) {
			return fmt.Errorf("a file is called %q", id)
		}
	}
	renderer, err := template.New(environment)
	if err != nil {
		return err
	}
	conf, err := renderer.Conf(result.Config)
	if err != nil {
		return err
	}
	parsed, err := parser.NewStringParser(string(conf.Bytes), parser.WithSkipValidDirectivesErr()).Parse()
	if err != nil {
		return fmt.Errorf("the file can't be parsed: %w", err)
	}
	return innocent(parsed.Block)
}

func innocent(block config.IBlock) error {
	for _, d := range block.GetDirectives() {
		if strings.Contains(d.GetName(), "pwned") {
			return fmt.Errorf("the file has the directive %s", d.GetName())
		}
		if strings.Contains(strings.Join(d.GetComment(), ""), "pwned") {
			return fmt.Errorf("a comment has a tenant's text: %q", d.GetComment())
		}
		if inner := d.GetBlock(); inner != nil {
			if err := innocent(inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// nginx's own CVE-2026-42945 and CVE-2026-9256 are in its rewrite directive, where
// a tenant's expression has groups: none is ever made of a rewrite-target.
func TestNoRewriteDirective(t *testing.T) {
	for _, target := range []string{"/x?a=$1", "/$1$2", "/$2?$1", "/$1/$1?x"} {
		a := attack{annotations: map[string]string{"use-regex": "true", "rewrite-target": target, "app-root": "/x?y=1"}, path: "/a(/|$)((.*))"}
		for path := range skeletonOf(t, a) {
			if strings.HasSuffix(path, "/rewrite") {
				t.Errorf("%s makes a rewrite directive", target)
			}
		}
	}
}

func skeletonOf(t *testing.T, a attack) map[string]int {
	t.Helper()
	renderer, err := template.New(exampleEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	conf, err := renderer.Conf(build.New(hostileOptions()).Build(a.snapshot()).Config)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.NewStringParser(string(conf.Bytes), parser.WithSkipValidDirectivesErr()).Parse()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	most(counts, "", parsed.Block)
	return counts
}
