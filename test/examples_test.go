package test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/store"
	"github.com/sallyport-ingress/sallyport/template"
)

var update = flag.Bool("update", false, "write what is rendered into the examples")

// Examples are objects and what they become. A section that is missing is not
// asserted; -update rewrites those that are there, and writes server.conf and
// problems into a new example.
func TestExamples(t *testing.T) {
	paths, err := filepath.Glob("examples/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("examples: %v, %d found", err, len(paths))
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { example(t, path) })
	}
}

func example(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := render(t, archive)
	if *update {
		rewrite(t, path, archive, got)
		return
	}
	asserted := 0
	for _, f := range archive.Files {
		text, ok := got[f.Name]
		if !ok {
			continue
		}
		asserted++
		if diff := cmp.Diff(string(f.Data), text); diff != "" {
			t.Errorf("%s (-want +got; `make golden` accepts):\n%s", f.Name, diff)
		}
	}
	if asserted == 0 {
		t.Error("the example asserts nothing: run `make golden`")
	}
}

// exampleResult is what the example's objects are built to.
func exampleResult(t *testing.T, archive *txtar.Archive) *build.Result {
	t.Helper()
	options, dir := exampleInputs(t, archive)
	result := build.New(options).Build(store.Load(dir))
	for i, p := range result.Problems {
		result.Problems[i].Object.File = strings.TrimPrefix(p.Object.File, dir+"/")
	}
	return result
}

// exampleInputs are the example's flags, and a folder with its objects.
func exampleInputs(t *testing.T, archive *txtar.Archive) (build.Options, string) {
	t.Helper()
	dir := t.TempDir()
	options := build.Options{
		Classes:           build.Classes{Controller: "k8s.io/ingress-nginx", Name: "nginx"},
		AnnotationsPrefix: annotation.DefaultPrefix,
		ConfigMap:         store.Key{Namespace: "default", Name: "settings"},
	}
	options.Brotli, options.GeoIP = true, exampleGeoIP
	options.Listen.HTTPPort, options.Listen.HTTPSPort = 80, 443
	options.ModSecurity, options.CoreRules = true, true
	for _, f := range archive.Files {
		switch {
		case f.Name == "flags":
			exampleFlags(t, &options, strings.Fields(string(f.Data)))
		case strings.HasSuffix(f.Name, ".yaml"):
			if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return options, dir
}

// render is the sections that the example's objects become.
func render(t *testing.T, archive *txtar.Archive) map[string]string {
	t.Helper()
	result := exampleResult(t, archive)
	renderer, err := template.New(exampleEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	conf, err := renderer.Conf(result.Config)
	if err != nil {
		t.Fatal(err)
	}
	var problems strings.Builder
	for _, p := range result.Problems {
		problems.WriteString(p.String() + "\n")
	}
	var data strings.Builder
	items := renderer.Items(result.Config)
	for _, key := range sorted(items) {
		data.WriteString(key + " " + items[key] + "\n")
	}
	return map[string]string{
		"nginx.conf":  string(conf.Bytes),
		"server.conf": servers(conf, result),
		"data":        data.String(),
		"problems":    problems.String(),
	}
}

// servers are the server blocks that Ingresses made.
func servers(conf *template.Conf, result *build.Result) string {
	var b strings.Builder
	for _, s := range result.Config.Servers {
		if s.Host != "" || len(result.Owners[""]) > 0 {
			b.WriteString(conf.Server(s.Host))
		}
	}
	return b.String()
}

func exampleFlags(t *testing.T, o *build.Options, flags []string) {
	for _, f := range flags {
		name, value, _ := strings.Cut(f, "=")
		switch name {
		case "--no-modules": // as on a machine without those that few need
			o.Brotli, o.GeoIP, o.NoHTTP3 = false, build.GeoIP{}, "nginx 1.22.1 is built without HTTP/3, which there is from 1.25 on"
		case "--enable-metrics":
			o.Metrics = true
		case "--strict-paths":
			o.StrictPaths = true
		case "--enable-ssl-passthrough":
			o.Passthrough = true
		case "--watch-ingress-without-class":
			o.Classes.WithoutClass = true
		case "--default-backend-service":
			namespace, service, _ := strings.Cut(value, "/")
			o.DefaultBackend = store.Key{Namespace: namespace, Name: service}
		case "without-modsecurity":
			o.ModSecurity = false
		case "without-core-rules":
			o.CoreRules = false
		case "--tcp-services-configmap", "--udp-services-configmap":
			namespace, configMap, _ := strings.Cut(value, "/")
			if key := (store.Key{Namespace: namespace, Name: configMap}); name == "--tcp-services-configmap" {
				o.TCPServices = key
			} else {
				o.UDPServices = key
			}
		case "--disable-catch-all":
			o.DisableCatchAll = true
		default:
			t.Fatalf("flags: %s is not known to examples", name)
		}
	}
}

var exampleGeoIP = build.GeoIP{Module: true, Databases: []string{"GeoIP2-Country", "GeoLite2-City", "GeoLite2-Country"}}

func exampleEnvironment() template.Environment {
	return template.Environment{
		Dir: "/run/sallyport", Lua: "/run/sallyport/lua", Pid: "/run/sallyport/nginx.pid",
		Control: "/run/sallyport/private/control.sock", Unavailable: "/run/sallyport/unavailable.sock",
		Opened: "/run/sallyport/opened.sock", Own: "/run/sallyport/own.sock", Through: "/run/sallyport/through.sock",
		Files: "/run/sallyport/files", GeoFolder: "/run/sallyport/geoip",
		ModSecurity: "modules/ngx_http_modsecurity_module.so", Recommended: "/run/sallyport/modsecurity.conf",
		CoreRules:   []string{"/etc/modsecurity/crs/crs-setup.conf", "/usr/share/modsecurity-crs/rules/*.conf"},
		DefaultCert: "/run/sallyport/default.crt", DefaultKey: "/run/sallyport/default.key",
		Version: [3]int{1, 26, 0}, OpenFiles: 65536, AccessLog: "/dev/stdout",
	}
}

func rewrite(t *testing.T, path string, archive *txtar.Archive, got map[string]string) {
	known := map[string]bool{}
	for i, f := range archive.Files {
		if text, ok := got[f.Name]; ok {
			archive.Files[i].Data = []byte(text)
			known[f.Name] = true
		}
	}
	if len(known) == 0 {
		for _, name := range []string{"server.conf", "problems"} {
			archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(got[name])})
		}
	}
	if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

func sorted(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
