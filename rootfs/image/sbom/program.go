package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// A program is one of ours, and what it says that it is made of.
type program struct {
	path    string // in the tree
	sha256  string // in hex
	library string // the version of Go, whose library is in it
	modules []module
}

// A module is a Go module in a version.
type module struct{ path, version string }

func readProgram(root, path string) (program, error) {
	file := filepath.Join(root, path)
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return program{}, err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return program{}, err
	}
	sum := sha256.Sum256(content)
	p := program{path: path, sha256: hex.EncodeToString(sum[:]), library: goVersion(info.GoVersion)}
	for _, dependency := range info.Deps {
		m, err := actual(dependency)
		if err != nil {
			return program{}, fmt.Errorf("%s: %w", path, err)
		}
		p.modules = append(p.modules, m)
	}
	return p, nil
}

// actual is the module that is in the program in the place of the one that is
// asked for. One of a folder has no version that anybody could look up.
func actual(m *debug.Module) (module, error) {
	if m.Replace != nil {
		m = m.Replace
	}
	if m.Version == "" {
		return module{}, fmt.Errorf("is built with the module %s of a folder: nobody can tell what that is", m.Path)
	}
	return module{m.Path, m.Version}, nil
}

// goVersion is 1.26.1 of "go1.26.1 X:experiment".
func goVersion(text string) string {
	text, _, _ = strings.Cut(text, " ")
	return strings.TrimPrefix(text, "go")
}
