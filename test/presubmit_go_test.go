package test

import (
	"fmt"
	"go/ast"
	"go/types"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const maxLines = 400

func notTooLong(f source) []string {
	if f.syntax == nil || f.isTest() {
		return nil
	}
	if n := strings.Count(f.text, "\n"); n > maxLines {
		return []string{fmt.Sprintf("has %d lines, more than %d: split it by idea", n, maxLines)}
	}
	return nil
}

func noInit(f source) []string {
	if f.syntax == nil {
		return nil
	}
	for _, d := range f.syntax.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			return []string{"has an init function: call what it does from main, where it can be seen"}
		}
	}
	return nil
}

var emptyName = regexp.MustCompile(`(^|[a-z])(Manager|Helper|Util|Utils|Common|Impl)$`)

func wellNamedTypes(f source) []string {
	var findings []string
	if f.syntax == nil {
		return nil
	}
	if slices.Contains(emptyNames, f.syntax.Name.Name) {
		findings = append(findings, "package "+f.syntax.Name.Name+" says nothing: name it for what it makes")
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if t, ok := n.(*ast.TypeSpec); ok && emptyName.MatchString(t.Name.Name) {
			findings = append(findings, "type "+t.Name.Name+" is named for nothing in particular: name it for what it does")
		}
		return true
	})
	return findings
}

// saysWhatItMayNot wants a second paragraph in a package's doc; what only
// tests use, and a command, may be shorter.
func saysWhatItMayNot(f source) []string {
	if f.syntax == nil || f.syntax.Doc == nil || f.inTests() || f.syntax.Name.Name == "main" {
		return nil
	}
	if strings.Contains(strings.TrimSpace(f.syntax.Doc.Text()), "\n\n") {
		return nil
	}
	return []string{"has a package doc of one paragraph: say in a second one what the package may not do"}
}

// sleepers may call time.Sleep: there it is what clients and endpoints do, not
// a way to wait for something.
var sleepers = []string{
	"test/bench/",          // a client's think time
	"nginx/reload_test.go", // a slow endpoint
}

func noSleep(f source) []string {
	if slices.ContainsFunc(sleepers, func(p string) bool { return strings.HasPrefix(f.path, p) }) {
		return nil
	}
	// There a sleep takes no time and ends when all else waits.
	if f.syntax != nil && f.isTest() && slices.Contains(f.imported(), "testing/synctest") {
		return nil
	}
	return calls(f, "time.Sleep", func(*ast.CallExpr) string {
		if f.inTests() {
			return "calls time.Sleep: wait for the condition itself, or use testing/synctest"
		}
		return "calls time.Sleep, which nobody can cancel: select on a timer and the context"
	})
}

func noSilentSkip(f source) []string {
	const advice = "skips without a reason: say in t.Skip what is missing and how to get it"
	silent := calls(f, "t.SkipNow", func(*ast.CallExpr) string { return advice })
	return append(silent, calls(f, "t.Skip", func(c *ast.CallExpr) string {
		if len(c.Args) > 0 {
			return ""
		}
		return advice
	})...)
}

// forbidden imports, by path or the path above, and what to do instead.
var forbidden = map[string]string{
	"log":                            "use log/slog",
	"io/ioutil":                      "use io and os",
	"github.com/stretchr/testify":    "use testing and go-cmp",
	"github.com/onsi":                "use testing and go-cmp",
	"github.com/pkg/errors":          "use fmt.Errorf with %w",
	"github.com/sirupsen/logrus":     "use log/slog",
	"k8s.io/klog":                    "use log/slog",
	"go.uber.org/zap":                "use log/slog",
	"k8s.io/kubernetes":              "it belongs to test/kube alone",
	"sigs.k8s.io/controller-runtime": "use client-go",
}

func noForbiddenImports(f source) []string {
	if f.syntax == nil || strings.HasPrefix(f.path, "test/kube/") {
		return nil
	}
	var findings []string
	for _, imported := range f.imported() {
		for name, advice := range forbidden {
			// A package of the standard library stands for itself alone.
			if name == "k8s.io/klog" && strings.HasPrefix(f.path, "cmd/") {
				continue // to hand client-go's own lines to slog
			}
			if imported == name || strings.Contains(name, ".") && within(imported, name) {
				findings = append(findings, "imports "+imported+": "+advice)
			}
		}
	}
	return findings
}

func (f source) imported() []string {
	var paths []string
	for _, i := range f.syntax.Imports {
		imported, _ := strconv.Unquote(i.Path.Value)
		paths = append(paths, imported)
	}
	return paths
}

// within says whether a path is name or below it.
func within(imported, name string) bool {
	return imported == name || strings.HasPrefix(imported, name+"/")
}

// calls asks finding about each call of a function that is written so.
func calls(f source, function string, finding func(*ast.CallExpr) string) []string {
	if f.syntax == nil {
		return nil
	}
	var findings []string
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok || types.ExprString(c.Fun) != function {
			return true
		}
		if text := finding(c); text != "" {
			findings = append(findings, fmt.Sprintf("line %d %s", f.tokens.Position(c.Pos()).Line, text))
		}
		return true
	})
	return findings
}

// emptyNames are names that hold anything.
var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "types", "lib"}

// topLevel is all that may be at the top, beside dot files.
var topLevel = []string{
	"cmd", "controller", "template", "nginx", "rootfs", "charts", "test",
	"go.mod", "go.sum", "Makefile", "LICENSE",
	"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md",
}

func wellNamed(f source) []string {
	parts := strings.Split(f.path, "/")
	if !strings.HasPrefix(parts[0], ".") && !slices.Contains(topLevel, parts[0]) {
		return []string{parts[0] + " is new at the top: put it into one of the folders of ARCHITECTURE.md"}
	}
	parts[len(parts)-1] = strings.TrimSuffix(path.Base(f.path), path.Ext(f.path))
	for _, p := range parts {
		if slices.Contains(emptyNames, strings.TrimSuffix(p, "_test")) {
			return []string{"the name " + p + " says nothing: name it for what it holds"}
		}
	}
	return nil
}
