package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sallyport-ingress/sallyport"

// A pkg is what `go list -json` says of a package; its paths are relative to
// the module where they are of it.
type pkg struct {
	ImportPath, Name, Doc              string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
	Deps                               []string
}

func TestPackages(t *testing.T) {
	packages := listPackages(t)
	for name, check := range map[string]func(pkg) []string{
		"imports": keepsToItsImports,
		"docs":    isDocumented,
	} {
		t.Run(name, func(t *testing.T) {
			for _, p := range packages {
				for _, finding := range check(p) {
					t.Errorf("%s: %s", p.ImportPath, finding)
				}
			}
		})
	}
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Name,Doc,GoFiles,Imports,TestImports,XTestImports,Deps", "./...")
	list.Dir = ".."
	var complaints bytes.Buffer
	list.Stderr = &complaints
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, complaints.String())
	}
	var packages []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p.short())
	}
	if len(packages) == 0 {
		t.Fatal("go list names no package")
	}
	return packages
}

// short cuts the module from the paths that are of it.
func (p pkg) short() pkg {
	p.ImportPath = short(p.ImportPath)
	for _, paths := range [][]string{p.Imports, p.TestImports, p.XTestImports, p.Deps} {
		for i := range paths {
			paths[i] = short(paths[i])
		}
	}
	return p
}

func short(path string) string { return strings.TrimPrefix(path, module+"/") }

// A fence keeps packages from importing what is not theirs.
type fence struct {
	target string   // this package, and all below it
	exact  bool     // not what is below it
	from   []string // whose packages it holds for, with all below them; nil: all
	except []string // whose packages it does not hold for
	deep   bool     // what imports import counts as well
	advice string
}

// pure are the packages between the snapshot and the bytes.
var pure = []string{
	"controller/annotation", "controller/build", "controller/model", "controller/option", "controller/settings", "template",
	"controller/proxier/plan", "controller/proxier/planner",
}

// kernels are what turns a plan into what a kernel does.
var kernels = []string{
	"controller/proxier/plan", "controller/proxier/nftables", "controller/proxier/iptables", "controller/proxier/ipvs",
	"controller/proxier/userspace", "controller/proxier/conntrack", "controller/proxier/health", "controller/proxier/metrics",
}

// fences are the import rules of ARCHITECTURE.md.
func fences() []fence {
	all := []fence{
		{target: "controller", exact: true, except: []string{"cmd", "test"},
			advice: "only cmd and test may: move what is needed into a package below controller"},
		{target: "k8s.io", from: []string{"nginx", "rootfs"}, deep: true,
			advice: "nginx knows nothing of Kubernetes: give it bytes"},
		{target: "controller", from: []string{"nginx", "rootfs"}, deep: true,
			advice: "nginx knows nothing of the controller: let cmd bring them together"},
		{target: "nginx", from: append([]string{"controller/store", "controller/status"}, pure...),
			advice: "it is about the cluster alone: let the loop bring them together"},
		{target: "k8s.io/client-go", except: []string{"controller/store", "controller/status", "cmd", "test"},
			advice: "only controller/store, controller/status and cmd may: read from the snapshot, write by status"},
		{target: "k8s.io", from: []string{"controller/model", "controller/option", "template"}, deep: true,
			advice: "it must not know Kubernetes: turn objects into the model in controller/build"},
		{target: "controller/proxier", exact: true, except: []string{"cmd", "test"},
			advice: "only cmd and test may: what the proxier's parts share is in controller/proxier/plan"},
		{target: "k8s.io", from: kernels, deep: true,
			advice: "only the planner knows objects: what comes after it is given a plan"},
		{target: "test", except: []string{"test"},
			advice: "the product must not depend on its tests"},
	}
	for _, impure := range []string{"log", "log/slog", "os", "os/exec", "net/http", "math/rand", "math/rand/v2", "syscall"} {
		all = append(all, fence{target: impure, exact: true, from: pure,
			advice: "it is pure, with no clock, IO or log: return a value or a problem instead"})
	}
	return all
}

func keepsToItsImports(p pkg) []string {
	var findings []string
	for _, f := range fences() {
		if !f.holdsFor(p.ImportPath) {
			continue
		}
		for _, imported := range f.seen(p) {
			if f.keepsOut(imported) {
				findings = append(findings, "imports "+imported+": "+f.advice)
			}
		}
	}
	return findings
}

func (f fence) holdsFor(path string) bool {
	inside := func(name string) bool { return within(path, name) }
	return (f.from == nil || slices.ContainsFunc(f.from, inside)) && !slices.ContainsFunc(f.except, inside)
}

// seen are the imports that the fence looks at. A package's own tests may
// reach for what its code may not, where that is of the standard library.
func (f fence) seen(p pkg) []string {
	if f.deep {
		return p.Deps
	}
	seen := slices.Clone(p.Imports)
	if strings.Contains(f.target, ".") {
		seen = append(append(seen, p.TestImports...), p.XTestImports...)
	}
	return seen
}

func (f fence) keepsOut(imported string) bool {
	if f.exact {
		return imported == f.target
	}
	return within(imported, f.target)
}

func isDocumented(p pkg) []string {
	if len(p.GoFiles) == 0 {
		return nil
	}
	if p.Doc == "" {
		return []string{"has no package doc: say what it turns into what, and what it may not do"}
	}
	if want := "Package " + p.Name + " "; p.Name != "main" && !strings.HasPrefix(p.Doc, want) {
		return []string{fmt.Sprintf("has a package doc that starts with %q: start it with %q", p.Doc, want)}
	}
	return nil
}
