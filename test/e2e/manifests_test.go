package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

const nginxClass = `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
`

// ingress is the manifest of an Ingress in short.
type ingress struct {
	name        string // with its namespace before it, if that isn't default
	class       string // "": nginx; "-": none
	created     string // for folders; a cluster has its own clock
	annotations map[string]string
	rules       []string // each from rule
	fallback    string   // spec.defaultBackend: service, service:80 or service:name
	tls         []string // secret, or secret=host,host
}

func (i ingress) String() string {
	var b strings.Builder
	namespace, name := split(i.name)
	fmt.Fprintf(&b, "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: %q\n  namespace: %q\n", name, namespace)
	if i.created != "" {
		fmt.Fprintf(&b, "  creationTimestamp: %q\n", i.created)
	}
	b.WriteString("  annotations:\n    test: e2e\n")
	for _, k := range slices.Sorted(maps.Keys(i.annotations)) {
		fmt.Fprintf(&b, "    %q: %q\n", k, i.annotations[k])
	}
	b.WriteString("spec:\n")
	if i.class == "" {
		i.class = "nginx"
	}
	if i.class != "-" {
		fmt.Fprintf(&b, "  ingressClassName: %s\n", i.class)
	}
	if i.fallback != "" {
		fmt.Fprintf(&b, "  defaultBackend: %s\n", backend(i.fallback))
	}
	if len(i.tls) > 0 {
		b.WriteString("  tls:\n")
	}
	for _, t := range i.tls {
		secret, hosts, _ := strings.Cut(t, "=")
		fmt.Fprintf(&b, "  - {secretName: %q, hosts: [%s]}\n", secret, quoted(hosts))
	}
	if len(i.rules) > 0 {
		b.WriteString("  rules:\n" + strings.Join(i.rules, ""))
	}
	return b.String()
}

// quoted makes a list of YAML strings of a list with commas.
func quoted(list string) string {
	if list == "" {
		return ""
	}
	var all []string
	for text := range strings.SplitSeq(list, ",") {
		all = append(all, fmt.Sprintf("%q", text))
	}
	return strings.Join(all, ", ")
}

// rule is one rule with one path. The service is as in ingress.fallback.
func rule(kind, host, path, service string) string {
	pathType := ""
	if kind != "" {
		pathType = "pathType: " + kind + ", "
	}
	return fmt.Sprintf("  - {host: %q, http: {paths: [{%spath: %q, backend: %s}]}}\n", host, pathType, path, backend(service))
}

func backend(service string) string {
	name, port, ok := strings.Cut(service, ":")
	key := "number"
	switch {
	case !ok:
		port = "80"
	case strings.Trim(port, "0123456789") != "":
		key = "name"
	}
	return fmt.Sprintf("{service: {name: %q, port: {%s: %s}}}", name, key, port)
}

// web is an Ingress with one Prefix path for all of a host.
func web(name, host, service string) ingress {
	return ingress{name: name, rules: []string{rule("Prefix", host, "/", service)}}
}

// service is a Service with port 80 and one slice with port 8080. Of the
// addresses of an IP family each family makes a slice.
func service(name string, addresses ...string) string {
	namespace, bare := split(name)
	var b strings.Builder
	fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: %s}\nspec: {ports: [{port: 80, targetPort: 8080}]}\n", bare, namespace)
	b.WriteString(slice(name, bare+"-1", addresses...))
	return b.String()
}

// slice is an EndpointSlice with port 8080, all of its endpoints ready.
func slice(service, name string, addresses ...string) string {
	namespace, bare := split(service)
	family := "IPv4"
	if len(addresses) > 0 && strings.Contains(addresses[0], ":") {
		family = "IPv6"
	}
	endpoints := ""
	for _, a := range addresses {
		endpoints += fmt.Sprintf("{addresses: [%q], conditions: {ready: true}}, ", a)
	}
	return fmt.Sprintf(`---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %s, namespace: %s, labels: {kubernetes.io/service-name: %s}}
addressType: %s
ports: [{name: "", port: 8080, protocol: TCP}]
endpoints: [%s]
`, name, namespace, bare, family, endpoints)
}

// app starts a backend that goes by the Service's name, and gives the manifests
// that lead to it.
func app(t *testing.T, name string, addresses ...string) string {
	t.Helper()
	_, text := counted(t, name, addresses...)
	return text
}

func counted(t *testing.T, name string, addresses ...string) (*cluster.Backend, string) {
	t.Helper()
	listen := make([]string, len(addresses))
	for i, a := range addresses {
		listen[i] = at(a, 8080)
	}
	return cluster.Echo(t, name, listen...), service(name, addresses...)
}

func at(address string, port int) string {
	if strings.Contains(address, ":") {
		address = "[" + address + "]"
	}
	return fmt.Sprintf("%s:%d", address, port)
}

func split(name string) (namespace, bare string) {
	if namespace, bare, ok := strings.Cut(name, "/"); ok {
		return namespace, bare
	}
	return "default", name
}
