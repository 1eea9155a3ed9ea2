package test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// What is data must leave nginx.conf as it is: then a change is a push, and no
// reload.
func TestChangeIsPush(t *testing.T) {
	for key, values := range map[string][2]string{
		"rewrite-target":          {"/x/$2", "/y/$1?z=$2"},
		"x-forwarded-prefix":      {"/x", "/y/$1"},
		"app-root":                {"/x", "/y"},
		"permanent-redirect":      {"https://x.example.org", "http://y.example.org$request_uri"},
		"permanent-redirect-code": {"301", "308"},
		"temporal-redirect":       {"https://x.example.org", "http://y.example.org$request_uri"},
		"temporal-redirect-code":  {"302", "307"},
	} {
		t.Run(key, func(t *testing.T) {
			before, after := changed(t, key, values[0]), changed(t, key, values[1])
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

// changed is what an Ingress with that value becomes. A key that needs another
// one beside it has it.
func changed(t *testing.T, key, value string) map[string]string {
	t.Helper()
	annotations := map[string]string{}
	if target, ok := strings.CutSuffix(key, "-code"); ok {
		annotations[target] = "https://x.example.org"
	}
	if key == "x-forwarded-prefix" {
		annotations["rewrite-target"] = "/$2"
	}
	annotations[key] = value
	var b strings.Builder
	for _, name := range sorted(annotations) {
		fmt.Fprintf(&b, "    nginx.ingress.kubernetes.io/%s: %q\n", name, annotations[name])
	}
	return render(t, txtar.Parse([]byte(`
-- objects.yaml --
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  namespace: default
  annotations:
    nginx.ingress.kubernetes.io/use-regex: "true"
`+b.String()+`spec:
  ingressClassName: nginx
  rules:
  - host: a.example.org
    http: {paths: [{pathType: ImplementationSpecific, path: "/(a?)(.*)", backend: {service: {name: web, port: {number: 80}}}}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
`)))
}
