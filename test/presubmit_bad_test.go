package test

import (
	"strings"
	"testing"
)

// Each rule has to find what it forbids, and to let its neighbours pass.
func TestRulesFindWhatTheyForbid(t *testing.T) {
	tree := map[string]source{
		"Makefile":               {path: "Makefile", text: "VERSION := 1\nbuild:\n\ttrue\n"},
		"nginx/nginx.go":         {path: "nginx/nginx.go"},
		"cmd/sallyport/flags.go": {path: "cmd/sallyport/flags.go", text: `flags.Int("http-port", 80, "")` + "\n"},
	}
	all := rules(tree)
	pkg := "package p\n\n"
	for _, c := range []struct {
		rule, path, text string
		wrong            bool
	}{
		{"file names", "proxy/proxy.go", pkg, true},
		{"file names", "notes.txt", "x\n", true},
		{"file names", "controller/util/x.go", pkg, true},
		{"file names", "nginx/helpers_test.go", pkg, true},
		{"file names", ".ci/run", "x\n", false},
		{"file names", "nginx/nginx.go", pkg, false},
		{"text", "nginx/a.lua", "x", true},
		{"text", "nginx/a.lua", "x\r\n", true},
		{"text", "nginx/a.lua", "x \ny\n", true},
		{"text", "nginx/a.lua", "x\t\n", true},
		{"text", "nginx/a.lua", "\xff\n", true},
		{"text", "README.md", strings.Repeat("x\n", 80), true},
		{"text", "README.md", strings.Repeat("x\n", 79), false},
		{"text", "test/examples/a.txtar", "x \n", false},
		{"machine paths", "nginx/a.go", pkg + "// see /ho" + "me/joe/notes\n", true},
		{"machine paths", "README.md", "(/ro" + "ot/x)\n", true},
		{"machine paths", "README.md", "https://example.org/ho" + "me/x /etc/nginx/ /tmp\n", false},
		{"open ends", "nginx/a.go", pkg + "// TO" + "DO: more\n", true},
		{"open ends", "nginx/a.go", pkg + "// method\n", false},
		{"length", "nginx/a.go", pkg + strings.Repeat("\n", maxLines), true},
		{"length", "nginx/a_test.go", pkg + strings.Repeat("\n", maxLines), false},
		{"package docs", "nginx/a.go", "// Package p does.\n" + pkg, true},
		{"package docs", "nginx/a.go", "// Package p does.\n//\n// It may not.\n" + pkg, false},
		{"package docs", "nginx/a.go", pkg, false},
		{"init", "nginx/a.go", pkg + "func init() {}\n", true},
		{"init", "nginx/a.go", pkg + "func (x) init() {}\n", false},
		{"type names", "nginx/a.go", pkg + "type ReloadManager struct{}\n", true},
		{"type names", "nginx/a.go", pkg + "type storeImpl int\n", true},
		{"type names", "nginx/a.go", "package common\n", true},
		{"type names", "nginx/a.go", pkg + "type Store struct{}\n", false},
		{"sleep", "nginx/a_test.go", pkg + "func f() { time.Sleep(1) }\n", true},
		{"sleep", "nginx/a.go", pkg + "func f() { time.Sleep(1) }\n", true},
		{"sleep", "nginx/a.go", pkg + "import \"testing/synctest\"\nfunc f() { time.Sleep(1) }\n", true},
		{"sleep", "nginx/a_test.go", pkg + "import \"testing/synctest\"\nfunc f() { time.Sleep(1) }\n", false},
		{"sleep", "test/bench/a.go", pkg + "func f() { time.Sleep(1) }\n", false},
		{"sleep", "nginx/a.go", pkg + "// time.Sleep(1)\n", false},
		{"skip", "nginx/a_test.go", pkg + "func f() { t.SkipNow() }\n", true},
		{"skip", "nginx/a_test.go", pkg + "func f() { t.Skip() }\n", true},
		{"skip", "nginx/a_test.go", pkg + "func f() { t.Skip(\"no nginx\") }\n", false},
		{"forbidden packages", "nginx/a.go", pkg + "import \"log\"\n", true},
		{"forbidden packages", "nginx/a.go", pkg + "import \"github.com/stretchr/testify/assert\"\n", true},
		{"forbidden packages", "nginx/a.go", pkg + "import \"k8s.io/klog/v2\"\n", true},
		{"forbidden packages", "cmd/sallyport/a.go", pkg + "import \"k8s.io/klog/v2\"\n", false},
		{"forbidden packages", "nginx/a.go", pkg + "import \"log/slog\"\n", false},
		{"links", "README.md", "[x](nowhere.md)\n", true},
		{"links", "nginx/README.md", "[x](nginx/nginx.go)\n", true},
		{"links", "nginx/README.md", "[x](../nginx/nginx.go#L1) [y](..) [z](https://example.org) [a](#b)\n", false},
		{"links", "README.md", "[x](nginx/nginx.go#L1) [y](nginx) [z](https://example.org) [a](#b)\n", false},
		{"make targets", "README.md", "Then `make rnu`.\n", true},
		{"make targets", ".ci/run", "make lint\n", true},
		{"make targets", "README.md", "    make build\n\nThis may make trouble: `make build`.\n", false},
		{"flags", "README.md", "sallyport --htpp-port 80\n", true},
		{"flags", "test/quickstart/run", "\"$sallyport\" --http-port 1 \\\n  --nonsense\n", true},
		{"flags", "README.md", "sallyport --http-port 80 # as --nonsense\ncurl --fail\n", false},
	} {
		f, err := parse(c.path, c.text)
		if err != nil {
			t.Fatalf("%s, %q: %v", c.rule, c.text, err)
		}
		check := all[c.rule]
		if check == nil {
			t.Fatalf("no rule %q", c.rule)
		}
		if findings := check(f); (len(findings) > 0) != c.wrong {
			t.Errorf("%s, %s, %q: findings %q", c.rule, c.path, c.text, findings)
		}
	}
}

func TestFencesKeepOut(t *testing.T) {
	for _, c := range []struct {
		path, imported string
		wrong          bool
	}{
		{"nginx", "controller", true},
		{"nginx", "controller/model", true},
		{"nginx", "k8s.io/api/core/v1", true},
		{"nginx", "os/exec", false},
		{"controller/store", "controller", true},
		{"controller/store", "nginx", true},
		{"controller/store", "k8s.io/client-go/informers", false},
		{"controller/build", "k8s.io/client-go/informers", true},
		{"controller/build", "controller/store", false},
		{"controller/build", "log/slog", true},
		{"controller/build", "os", true},
		{"controller", "k8s.io/client-go/kubernetes", true},
		{"controller", "nginx", false},
		{"controller/model", "k8s.io/api/core/v1", true},
		{"template", "k8s.io/api/core/v1", true},
		{"template", "nginx", true},
		{"template", "controller/model", false},
		{"cmd/sallyport", "controller", false},
		{"cmd/sallyport", "k8s.io/client-go/rest", false},
		{"cmd/sallyport", "test/cluster", true},
		{"test/e2e", "test/cluster", false},
		{"controller/proxier/ipvs", "k8s.io/api/core/v1", true},
		{"controller/proxier/ipvs", "controller/proxier", true},
		{"controller/proxier/ipvs", "controller/proxier/plan", false},
		{"controller/proxier/planner", "k8s.io/api/core/v1", false},
		{"controller/proxier/planner", "log/slog", true},
		{"controller/proxier", "k8s.io/client-go/kubernetes", true},
	} {
		p := pkg{ImportPath: c.path, Imports: []string{c.imported}, Deps: []string{c.imported}}
		if findings := keepsToItsImports(p); (len(findings) > 0) != c.wrong {
			t.Errorf("%s imports %s: findings %q", c.path, c.imported, findings)
		}
	}
}

func TestPackagesWithoutDocsAreFound(t *testing.T) {
	for doc, wrong := range map[string]bool{"": true, "Nginx runs.": true, "Package nginx runs.": false} {
		p := pkg{Name: "nginx", Doc: doc, GoFiles: []string{"nginx.go"}}
		if findings := isDocumented(p); (len(findings) > 0) != wrong {
			t.Errorf("%q: findings %q", doc, findings)
		}
	}
}
