package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// The environment by which the part of the bench that has a network tells the
// part that measures where the contestants are. Who sets one measures a binary
// of their own.
const (
	proxierVariable   = "SALLYPORT_PROXIER_BINARY"
	kubeProxyVariable = "SALLYPORT_KUBE_PROXY_BINARY"
	missingVariable   = "SALLYPORT_BENCH_MISSING"  // what could not be built, and why
	providedVariable  = "SALLYPORT_BENCH_PROVIDED" // set once all this is done
)

// provide builds the contestants. What can't be built is missing from the
// measures that need it.
func provide() (clean func()) {
	clean = func() {}
	if os.Getenv(providedVariable) != "" {
		return clean
	}
	os.Setenv(providedVariable, "1")
	if os.Getenv(proxierVariable) == "" {
		dir, err := buildProxier()
		missing(err)
		clean = func() { os.RemoveAll(dir) }
	}
	if os.Getenv(kubeProxyVariable) == "" {
		p, err := cluster.FindKubeProxy(os.Stderr)
		missing(err)
		if err == nil {
			os.Setenv(kubeProxyVariable, p)
		}
	}
	return clean
}

func missing(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Setenv(missingVariable, strings.TrimPrefix(os.Getenv(missingVariable)+"; "+err.Error(), "; "))
	}
}

func buildProxier() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "sallyport-bench-"); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "sallyport-proxier")
	c := exec.Command("go", "build", "-o", binary, "github.com/sallyport-ingress/sallyport/cmd/sallyport-proxier")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build cmd/sallyport-proxier: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return dir, os.Setenv(proxierVariable, binary)
}
