// Package compat turns the annotations of ingress-nginx, one by one, into
// requests that would be answered otherwise without them.
//
// It may not take a key for proven because somebody says so: each case is run
// once more for each of its keys, on a host that lacks just that key, and one
// of its probes has to end differently there.
package compat

import (
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.Run(m.Run)) }

const prefix = "nginx.ingress.kubernetes.io/"

// A group is cases that share one Sallyport.
type group struct {
	name     string
	flags    []string
	settings map[string]string // the ConfigMap
	// objects are manifests beside the Ingresses. The Services web and other, of
	// port 80, are there, with a backend of that name; g.address(i) are more
	// addresses of the private network for backends of the group's own.
	objects func(t *testing.T, g *site) string
	cases   []proof
}

// A proof is one Ingress, and what requests to it come to.
type proof struct {
	keys        []string // that it proves; without the prefix
	annotations map[string]string
	paths       []string // as "Prefix /"; none: just that
	service     string   // "" for web
	tls         bool     // a TLS section, without a Secret
	// more are manifests for each host of the proof; HOST, and NAME, which is the
	// Ingress's name, stand for that host's.
	more   string
	probes []probe
}

// A probe asks something and says in short what came of it.
type probe struct {
	what string
	ask  func(c client) string
	want string // HOST stands for the host
}

// A site is where a group runs.
type site struct {
	dir    string
	number int // of the group, from 1
	*cluster.Sallyport
}

// address is one of the group's own, from 10 to 250.
func (g *site) address(i int) string { return fmt.Sprintf("10.244.%d.%d", 100+g.number, i) }

// A client asks one host.
type client struct {
	t    *testing.T
	site *site
	host string
}

// get asks for a path by plain HTTP.
func (c client) get(path string) cluster.Response {
	return c.do(cluster.Request{URL: "http://HOST" + path})
}

// do sends a request in which HOST stands for the host.
func (c client) do(q cluster.Request) cluster.Response {
	c.t.Helper()
	q.URL = strings.ReplaceAll(q.URL, "HOST", c.host)
	q.Host = strings.ReplaceAll(q.Host, "HOST", c.host)
	return c.site.Do(c.t, q)
}

// short is a status, with the target of a redirect, or who answered.
func short(r cluster.Response) string {
	switch {
	case r.Header.Get("Location") != "":
		return fmt.Sprintf("%d %s", r.Status, r.Header.Get("Location"))
	case r.Seen != nil && r.Status == 200:
		return r.Seen.Backend
	}
	return fmt.Sprint(r.Status)
}

// gets asks for a path and wants what short says.
func gets(path, want string) probe {
	return probe{path, func(c client) string { return short(c.get(path)) }, want}
}

// TestAnnotations runs all proofs.
func TestAnnotations(t *testing.T) {
	for i, g := range groups() {
		t.Run(g.name, func(t *testing.T) { runGroup(t, i+1, g) })
	}
}

func runGroup(t *testing.T, number int, g group) {
	s := &site{dir: t.TempDir(), number: number}
	for i, name := range []string{"web", "other"} {
		address := s.address(i + 1)
		cluster.Echo(t, name, address+":8080")
		s.write(t, name, service(name, address))
	}
	if g.objects != nil {
		s.write(t, "objects", g.objects(t, s))
	}
	args := append([]string{"--manifests=" + s.dir, "--watch-ingress-without-class"}, g.flags...)
	if g.settings != nil {
		s.write(t, "settings", configMap(g.settings))
		args = append(args, "--configmap=sallyport/settings")
	}
	for i, p := range g.cases {
		s.write(t, fmt.Sprintf("case-%d", i), p.manifest(i, ""))
		for _, key := range p.keys {
			s.write(t, strings.TrimSuffix(hostOf(i, key), ".example.org"), p.manifest(i, key))
		}
	}
	s.Sallyport = cluster.Launch(t, cluster.Options{Args: args})
	for i, p := range g.cases {
		t.Run(fmt.Sprintf("%d %s", i, strings.Join(p.keys, " ")), func(t *testing.T) { p.prove(t, s, i) })
	}
}

func (p proof) prove(t *testing.T, s *site, i int) {
	for _, probe := range p.probes {
		c := client{t, s, hostOf(i, "")}
		if got, want := probe.ask(c), strings.ReplaceAll(probe.want, "HOST", c.host); got != want {
			t.Errorf("%s: got %s, want %s", probe.what, got, want)
		}
	}
	for _, key := range p.keys {
		if _, ok := p.annotations[key]; !ok {
			t.Errorf("%s is not among the annotations", key)
		}
		c := client{t, s, hostOf(i, key)}
		differs := slices.ContainsFunc(p.probes, func(probe probe) bool {
			return probe.ask(c) != strings.ReplaceAll(probe.want, "HOST", c.host)
		})
		if !differs {
			t.Errorf("%s is not proven: without it, all probes end the same", key)
		}
	}
}

// hostOf is the host of a case; lacking names the key that it has not.
func hostOf(i int, lacking string) string {
	if lacking == "" {
		return fmt.Sprintf("case-%d.example.org", i)
	}
	return fmt.Sprintf("case-%d-no-%s.example.org", i, lacking[strings.IndexByte(lacking, '/')+1:])
}

// portOf is a port of a host's own; PORT stands for it in manifests.
func portOf(host string) int { return 20000 + int(crc32.ChecksumIEEE([]byte(host))%10000) }

func (p proof) manifest(i int, lacking string) string {
	host := hostOf(i, lacking)
	name := strings.TrimSuffix(host, ".example.org")
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: %s\n  namespace: default\n  annotations:\n    test: compat\n", name)
	for _, key := range slices.Sorted(maps.Keys(p.annotations)) {
		if key == lacking {
			continue
		}
		full := prefix + key
		if strings.Contains(key, "/") {
			full = key
		}
		fmt.Fprintf(&b, "    %s: %q\n", full, p.annotations[key])
	}
	b.WriteString("spec:\n")
	if p.tls {
		fmt.Fprintf(&b, "  tls: [{hosts: [%s]}]\n", host)
	}
	target := p.service
	if target == "" {
		target = "web"
	}
	paths := p.paths
	if len(paths) == 0 {
		paths = []string{"Prefix /"}
	}
	fmt.Fprintf(&b, "  rules:\n  - host: %s\n    http:\n      paths:\n", host)
	for _, path := range paths {
		kind, path, _ := strings.Cut(path, " ")
		fmt.Fprintf(&b, "      - {pathType: %s, path: %q, backend: {service: {name: %s, port: {number: 80}}}}\n", kind, path, target)
	}
	text := b.String()
	if p.more != "" {
		text += "---\n" + p.more
	}
	return strings.NewReplacer("HOST", host, "NAME", name, "PORT", fmt.Sprint(portOf(host))).Replace(text)
}

func (g *site) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(g.dir+"/"+name+".yaml", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// service is a Service of port 80 with one slice of port 8080.
func service(name string, addresses ...string) string {
	var endpoints strings.Builder
	for _, a := range addresses {
		fmt.Fprintf(&endpoints, "{addresses: [%q], conditions: {ready: true}}, ", a)
	}
	return fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: %[1]s, namespace: default}
spec: {ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %[1]s-1, namespace: default, labels: {kubernetes.io/service-name: %[1]s}}
addressType: IPv4
ports: [{name: "", port: 8080, protocol: TCP}]
endpoints: [%[2]s]
`, name, endpoints.String())
}

func configMap(settings map[string]string) string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: sallyport}\ndata:\n")
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "  %s: %q\n", key, settings[key])
	}
	return b.String()
}
