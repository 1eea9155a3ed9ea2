package test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/nginx"
	"github.com/sallyport-ingress/sallyport/template"
	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// realNginx is an nginx of this machine with an empty work folder, and what
// nginx.conf has to say of them.
func realNginx(t *testing.T) (*nginx.Nginx, template.Environment) {
	t.Helper()
	made, err := nginx.Inspect(t.Context(), "nginx")
	if err != nil {
		t.Fatalf("the real nginx is needed (make test installs it): %v", err)
	}
	n, err := nginx.New(nginx.Options{Dir: filepath.Join(t.TempDir(), "w")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	p := n.Paths()
	rules, err := nginx.FindRules("/")
	if err == nil {
		err = os.WriteFile(p.Recommended, rules.Recommended, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	e := template.Environment{
		Dir: p.Dir, Lua: p.Lua, Pid: p.Pid, Control: p.Control, Unavailable: p.Unavailable, Opened: p.Opened, Own: p.Own, Through: p.Through, Files: p.Files,
		Stream:      made.Modules["stream"],
		ModSecurity: made.Modules["modsecurity"], Recommended: p.Recommended, CoreRules: rules.Core,
		Brotli: made.Modules["brotli"], GeoIP: made.Modules["geoip2"], GeoFolder: geoDatabases(t),
		DefaultCert: testdata + "/default.crt", DefaultKey: testdata + "/default.key",
		Version: made.Version, OpenFiles: 1024, AccessLog: "/dev/null",
	}
	for _, name := range []string{"ndk", "lua"} {
		if path := made.Modules[name]; path != "" {
			e.Modules = append(e.Modules, path)
		}
	}
	return n, e
}

// geoDatabases is a folder with the databases of the examples.
func geoDatabases(t *testing.T) string {
	dir := t.TempDir()
	for _, edition := range exampleGeoIP.Databases {
		cluster.GeoDatabase(t, filepath.Join(dir, edition+".mmdb"), nil)
	}
	return dir
}

// Every example is a file that the real nginx takes.
func TestNginxTakesExamples(t *testing.T) {
	n, environment := realNginx(t)
	paths, _ := filepath.Glob("examples/*.txtar")
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			takes(t, n, environment, exampleResult(t, archive))
		})
	}
}

// What the checks let through of hostile texts, nginx takes too.
func TestNginxTakesHostileTexts(t *testing.T) {
	n, environment := realNginx(t)
	for _, text := range hostileTexts {
		x := texts{host: harmless.host, path: "/" + text, service: text, port: text, secret: text, annotation: text, setting: text}
		takes(t, n, environment, build.New(hostileOptions()).Build(hostileSnapshot(x)))
		if t.Failed() {
			t.Fatalf("text %+q", text)
		}
	}
}

func takes(t *testing.T, n *nginx.Nginx, e template.Environment, result *build.Result) {
	t.Helper()
	// Ports of tests: nginx -t binds them for a moment.
	result.Config.Settings.Listen.HTTPPort, result.Config.Settings.Listen.HTTPSPort = 21080, 21443
	if slices.Compare(e.Version[:], []int{1, 25, 0}) < 0 && result.Config.Settings.HTTP3 {
		t.Logf("HTTP/3 IS LEFT OUT: nginx %v has none", e.Version)
		result.Config.Settings.HTTP3 = false
	}
	files := map[string]nginx.File{}
	for id, f := range result.Config.Files {
		files[string(id)] = nginx.File{Content: f.Content, Private: f.Private}
	}
	if err := n.Keep(files); err != nil {
		t.Fatal(err)
	}
	renderer, err := template.New(e)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := renderer.Conf(result.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Test(t.Context(), conf.Bytes); err != nil {
		t.Errorf("%v\n%s", err, conf.Bytes)
	}
}
