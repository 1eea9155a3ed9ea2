package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// The environment by which the part of the bench that has a network tells the
// part that measures what it made. binaryVariable is test/cluster's as well:
// who sets it measures a binary of their own.
const (
	binaryVariable   = "SALLYPORT_BINARY"
	debian13Variable = "SALLYPORT_TRIXIE_ROOT"
	missingVariable  = "SALLYPORT_BENCH_MISSING"  // why there is no Debian 13
	providedVariable = "SALLYPORT_BENCH_PROVIDED" // set once all this is done
)

// debian13Packages are what Sallyport needs of a Debian.
const debian13Packages = "nginx,libnginx-mod-http-lua,libnginx-mod-stream,lua-resty-core,lua-cjson"

// provide makes what the chosen measures need and notes in the environment
// where it is. What can't be made is missing from the measures that need it.
func provide(chosen lab.Measures) (clean func()) {
	clean = func() {}
	if os.Getenv(providedVariable) != "" {
		return clean
	}
	os.Setenv(providedVariable, "1")
	if os.Getenv(binaryVariable) == "" {
		dir, err := buildProduct()
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		clean = func() { os.RemoveAll(dir) }
	}
	if os.Getenv(debian13Variable) == "" && chosen.Has("ingress-debian13") {
		if root, err := debian13(); err != nil {
			os.Setenv(missingVariable, err.Error())
		} else {
			os.Setenv(debian13Variable, root)
		}
	}
	return clean
}

func buildProduct() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "sallyport-bench-"); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "sallyport")
	c := exec.Command("go", "build", "-o", binary, "github.com/sallyport-ingress/sallyport/cmd/sallyport")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build cmd/sallyport: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return dir, os.Setenv(binaryVariable, binary)
}

// debian13 gives the root of a Debian 13 with nginx in the user's cache folder,
// which it makes once. It takes a minute or so.
func debian13() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache, "sallyport", "debian13")
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	// Under another name until it is whole.
	fresh := root + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		return "", err
	}
	fmt.Fprintln(os.Stderr, "bench: making a Debian 13 in", root+": a minute or so, once")
	c := exec.Command("debootstrap", "--variant=minbase", "--include="+debian13Packages, "trixie", fresh)
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("debootstrap trixie (root and the package debootstrap are needed): %w: %s", err, lastLine(string(out)))
	}
	return root, os.Rename(fresh, root)
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
