// Package image turns what the image promises into programs that run in its tree:
// with the rights that a container engine gives them and no others, on a read-only
// root, in a private network.
//
// It builds no tree, which takes minutes: SALLYPORT_ROOT names one that `make
// rootfs` made. It may not change that, and it may not import a package of the
// product.
package image

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func TestMain(m *testing.M) {
	if os.Getenv(cluster.RootVariable) == "" {
		fmt.Fprintln(os.Stderr, "test/image: there is no tree to test: `make test-image` makes one and names it in "+cluster.RootVariable)
		if os.Getenv("CI") == "true" {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(cluster.Run(m.Run))
}

// inside runs a program of the tree as root, to its end.
func inside(args ...string) (string, error) {
	c := exec.Command(args[0], args[1:]...)
	c.Dir, c.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: cluster.Root()}
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	out, err := c.CombinedOutput()
	return string(out), err
}

// manifests puts objects into a folder that everybody may read.
func manifests(t *testing.T, text string) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "manifests")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
