// Package test turns the tree into a list of where it breaks the house rules,
// and runs the examples.
//
// It may not change the tree, except that -update rewrites golden files. A
// rule says what to do, and presubmit_bad_test.go shows that it can fail.
package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A source is one file of the tree. Its path is relative to the top and has
// slashes.
type source struct {
	path   string
	text   string
	syntax *ast.File // nil where it isn't Go
	tokens *token.FileSet
}

// A rule finds what is wrong in one file; each finding says what to do.
type rule func(source) []string

func TestFiles(t *testing.T) {
	tree := readTree(t)
	for name, check := range rules(tree) {
		t.Run(name, func(t *testing.T) {
			for _, f := range tree {
				for _, finding := range check(f) {
					t.Errorf("%s: %s", f.path, finding)
				}
			}
		})
	}
}

func rules(tree map[string]source) map[string]rule {
	return map[string]rule{
		"file names":         wellNamed,
		"text":               cleanText,
		"machine paths":      noMachinePaths,
		"open ends":          noOpenEnds,
		"length":             notTooLong,
		"package docs":       saysWhatItMayNot,
		"init":               noInit,
		"type names":         wellNamedTypes,
		"sleep":              noSleep,
		"skip":               noSilentSkip,
		"forbidden packages": noForbiddenImports,
		"links":              linksIn(tree),
		"make targets":       targetsIn(tree),
		"flags":              flagsIn(tree),
	}
}

// readTree reads all files but what git and make bring in.
func readTree(t *testing.T) map[string]source {
	t.Helper()
	tree := map[string]source{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
		switch {
		case name == ".git" || name == "bin":
			return skip(d)
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parse(name, string(text))
		tree[name] = f
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(tree) == 0 {
		t.Fatal("no files found")
	}
	return tree
}

// skip leaves out a folder, or the file that stands for it in a work tree.
func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func parse(path, text string) (source, error) {
	f := source{path: path, text: text}
	if !strings.HasSuffix(path, ".go") {
		return f, nil
	}
	f.tokens = token.NewFileSet()
	var err error
	f.syntax, err = parser.ParseFile(f.tokens, path, text, parser.ParseComments|parser.SkipObjectResolution)
	return f, err
}

func (f source) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// inTests says whether the file serves tests alone.
func (f source) inTests() bool { return f.isTest() || strings.HasPrefix(f.path, "test/") }
