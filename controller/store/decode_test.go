package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// told is what a file's problems say, shortened to "line object field: reason".
func told(f *file) []string {
	var all []string
	for _, p := range f.problems {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%d %s %s: %s", p.Object.Line, p.Object.Kind, p.Field, p.Reason)))
	}
	return all
}

func names(f *file) []string {
	var all []string
	for _, it := range f.items {
		all = append(all, fmt.Sprintf("%s %s:%d", it.ref.kind, it.ref.key, it.line))
	}
	return all
}

func TestDecodeFile(t *testing.T) {
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n"
	for _, c := range []struct {
		name, file, text string
		items            []string
		told             []string // prefixes
		broken           bool
	}{
		{name: "nothing", text: ""},
		{name: "comments", text: "# a\n---\n# b\n---\n"},
		{name: "null", text: "null\n---\n~\n"},
		{name: "a value", text: "\n\nhello\n", told: []string{"3  : is not an object"}, broken: true},
		{name: "a list", text: "- a\n- b\n", told: []string{"1  : is not an object"}, broken: true},
		{name: "binary", text: "\x00\x01\xff", told: []string{"1  : is not right as YAML"}, broken: true},
		{name: "no kind", text: "a: b\n", told: []string{"1  kind: is missing"}, broken: true},
		{name: "kustomization without a kind", file: "d/kustomization.yaml", text: "resources: [a.yaml]\n"},
		{name: "kinds of others", text: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n---\napiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: d}\n"},
		{name: "an old version", text: "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: i}\n",
			told: []string{`1 Ingress apiVersion: is "extensions/v1beta1"; a Ingress is read as "networking.k8s.io/v1"`}, broken: true},
		{name: "no version", text: "kind: Service\nmetadata: {name: i}\n", told: []string{`1 Service apiVersion: is ""`}, broken: true},
		{name: "no name", text: "apiVersion: v1\nkind: Service\n", told: []string{"1 Service metadata.name: is missing"}, broken: true},
		{name: "a name out of its place", text: "apiVersion: v1\nkind: Service\nmetadata: {name: ../x}\n", told: []string{`1 Service metadata.name: "../x"`}, broken: true},
		{name: "a namespace out of its place", text: "apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: a/b}\n", told: []string{`1 Service metadata.namespace: "a/b"`}, broken: true},
		{name: "metadata of a wrong type", text: "apiVersion: v1\nkind: Service\nmetadata: []\n", told: []string{"1 Service metadata: is a array where"}, broken: true},
		{name: "a name of a wrong type", text: "apiVersion: v1\nkind: Service\nmetadata: {name: 5}\n", told: []string{"1 Service metadata.name: is a number where string"}, broken: true},
		{name: "a port of a wrong type", text: service + "spec:\n  ports:\n  - port: http\n", told: []string{"1 Service spec.ports.port: is a string where int32"}, broken: true},
		{name: "a port too large", text: service + "spec: {ports: [{port: 99999999999}]}\n", told: []string{"1 Service spec.ports.port: is a number 99999999999 where"}, broken: true},
		{name: "an unknown field", text: service + "spec: {prots: []}\n", items: []string{"Service default/s:1"}, told: []string{"1 Service spec.prots: is no field"}},
		{name: "a field in the wrong case", text: service + "spec: {externalname: x}\n", items: []string{"Service default/s:1"}, told: []string{"1 Service spec.externalname: is no field"}},
		{name: "a key twice", text: service + "spec: {}\nspec: {}\n", items: []string{"Service default/s:1"}, told: []string{"5  : is not right as YAML: key \"spec\" already set"}},
		{name: "not base64", text: "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: '!'}\n", told: []string{"1 Secret : cannot be decoded: illegal base64"}, broken: true},
		{name: "one broken of three", text: service + "---\nkind: [\n---\n" + strings.ReplaceAll(service, "name: s", "name: t"),
			items: []string{"Service default/s:1", "Service default/t:7"}, told: []string{"5  : is not right as YAML"}, broken: true},
		{name: "a line of an error", text: "# x\n---\n" + service + "spec:\n  ports:\n\t- port: 1\n", told: []string{"8  : is not right as YAML"}, broken: true},
		{name: "markers", text: "%YAML 1.1\n--- # first\n" + service + "...\n---   \n" + strings.ReplaceAll(service, "name: s", "name: t") + "---\n",
			items: []string{"Service default/s:3", "Service default/t:8"}},
		{name: "a document on its marker's line", text: "--- {apiVersion: v1, kind: Service, metadata: {name: s}}\n", items: []string{"Service default/s:1"}},
		{name: "no marker", text: service + "metadata.note: |\n  a\n  --- b\n---x: 1\n", told: []string{`1 Service`, `1 Service`}, items: []string{"Service default/s:1"}},
		{name: "a byte order mark and CRLF", text: "\ufeff" + strings.ReplaceAll(service+"---\n"+service, "\n", "\r\n"), items: []string{"Service default/s:1", "Service default/s:5"}},
		{name: "JSON with tabs", file: "a.json", text: "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Service\",\n\t\"metadata\": {\"name\": \"s\"}\n}\n", items: []string{"Service default/s:1"}},
		{name: "JSON after JSON", file: "a.json", text: "\n{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"s\"}}\n{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"t\"}}", items: []string{"Service default/s:2", "Service default/t:3"}},
		{name: "JSON in YAML", text: "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"s\"}}", items: []string{"Service default/s:1"}},
		{name: "half a JSON", file: "a.json", text: "{\n\"a\":\n", told: []string{"1  : is not JSON"}, broken: true},
		{name: "wrong JSON", file: "a.json", text: "{\n\"a\": 1,\n}", told: []string{"3  : is not JSON: invalid character"}, broken: true},
		{name: "a list", text: "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: s}}\n- {apiVersion: apps/v1, kind: Deployment}\n- 5\n",
			items: []string{"Service default/s:1"}, told: []string{"1  : is not an object"}, broken: true},
		{name: "a list of a kind", text: "apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: s}\n", items: []string{"Service default/s:1"}},
		{name: "a list in a list", text: "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: List, items: []}\n", told: []string{"1 List : is a list in a list"}, broken: true},
		{name: "a kind without a namespace", text: "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx, namespace: x}\n", items: []string{"IngressClass /nginx:1"}},
		{name: "an alias bomb", text: "a: &a [x,x,x,x,x,x,x,x,x]\n" + bomb(), told: []string{"1  : is not right as YAML"}, broken: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.file == "" {
				c.file = "a.yaml"
			}
			f := decodeFile(c.file, []byte(c.text))
			if d := cmp.Diff(c.items, names(f)); d != "" {
				t.Errorf("items (-want +got)\n%s", d)
			}
			got := told(f)
			if len(got) != len(c.told) {
				t.Fatalf("%d problems, want %d: %q", len(got), len(c.told), got)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.told[i]) {
					t.Errorf("problem %q\n     want %q", got[i], c.told[i])
				}
			}
			if f.broken != c.broken {
				t.Errorf("broken is %t", f.broken)
			}
		})
	}
}

func bomb() string {
	var b strings.Builder
	for c := 'b'; c < 'l'; c++ {
		fmt.Fprintf(&b, "%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat("*"+string(c-1)+",", 9), ","))
	}
	return b.String()
}

func TestDefaultsAreThoseOfAServer(t *testing.T) {
	f := decodeFile("a.yaml", []byte(`
apiVersion: v1
kind: Service
metadata: {name: s}
spec: {ports: [{port: 80}, {port: 81, targetPort: web, protocol: UDP}]}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {a: b2xk, b: b2xk}
stringData: {a: new}
---
apiVersion: v1
kind: Namespace
metadata: {name: ns}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: s, labels: {kubernetes.io/service-name: s}}
ports: [{port: 80}]
endpoints: [{addresses: ["fd00::1"]}]
`))
	if d := cmp.Diff([]string{"17 EndpointSlice addressType: is missing: IPv6 is taken for it"}, told(f)); d != "" {
		t.Fatal(d)
	}
	service := f.items[0].object.(*corev1.Service)
	if p := service.Spec.Ports[0]; service.Spec.Type != "ClusterIP" || p.Protocol != "TCP" || p.TargetPort.IntVal != 80 {
		t.Errorf("service: %+v", service.Spec)
	}
	if p := service.Spec.Ports[1]; p.Protocol != "UDP" || p.TargetPort.StrVal != "web" {
		t.Errorf("a port that says all is changed: %+v", p)
	}
	secret := f.items[1].object.(*corev1.Secret)
	if string(secret.Data["a"]) != "new" || string(secret.Data["b"]) != "old" || secret.StringData != nil {
		t.Errorf("secret: %q", secret.Data)
	}
	if l := f.items[2].object.GetLabels(); l["kubernetes.io/metadata.name"] != "ns" {
		t.Errorf("namespace labels: %v", l)
	}
	s := f.items[3].object.(*discoveryv1.EndpointSlice)
	if *s.Ports[0].Name != "" || *s.Ports[0].Protocol != "TCP" || s.Endpoints[0].Conditions.Ready != nil {
		t.Errorf("slice: %+v", s)
	}
}

// Whatever a file holds, reading it ends without a panic, and every object has
// a name that can be part of an id.
func FuzzDecodeFile(f *testing.F) {
	for _, s := range []string{"", "a: b", "--- {}\n...", "{\"kind\":\"List\",\"items\":[null]}",
		"apiVersion: v1\nkind: Endpoints\nmetadata: {name: e}\nsubsets: [null, {addresses: [null]}]",
		"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: e}\nspec: {rules: [null]}"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, isJSON bool) {
		name := "a.yaml"
		if isJSON {
			name = "a.json"
		}
		for _, it := range decodeFile(name, data).items {
			if field, reason := misnamed(it.object); reason != "" {
				t.Errorf("%v: %s %s", it.ref, field, reason)
			}
		}
	})
}
