package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// RootVariable names a folder with the tree of the image. Where it is set,
// Sallyport runs in there, as in a container with a read-only root: the sallyport,
// nginx and libraries of the image, with /tmp as the only place to write to.
const RootVariable = "SALLYPORT_ROOT"

// Where the binaries are in the tree.
const (
	binaryInRoot  = "/usr/bin/sallyport"
	ProxierInRoot = "/usr/bin/sallyport-proxier"
)

// Root is where the tree is mounted in the private network; "" is the machine's
// own. A test that sets TMPDIR does not move it.
var Root = sync.OnceValue(func() string {
	if os.Getenv(RootVariable) == "" {
		return ""
	}
	return filepath.Join(os.TempDir(), "root")
})

// inRoot lets a command run where Sallyport runs.
func inRoot(c *exec.Cmd) *exec.Cmd {
	if root := Root(); root != "" {
		c.SysProcAttr, c.Dir = &syscall.SysProcAttr{Chroot: root}, "/"
	}
	return c
}

// checkRoot says why a tree can't be the image's.
func checkRoot(root string) error {
	if !filepath.IsAbs(root) {
		return fmt.Errorf("%s=%q: not an absolute path", RootVariable, root)
	}
	if _, err := os.Stat(filepath.Join(root, binaryInRoot)); err != nil {
		return fmt.Errorf("%s: %w; `make rootfs` makes one", RootVariable, err)
	}
	return nil
}

// mountRoot mounts the tree read-only, and in it what a container engine mounts.
// The tests' temporary folder has the same name inside, so that what a test puts
// there is found.
func mountRoot(tree string) error {
	root, temp := Root(), os.TempDir()
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	type mount struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}
	for _, m := range []mount{
		{tree, root, "", unix.MS_BIND, ""},
		// Not nosuid: that takes capabilities from files, and no engine does it.
		{"", root, "", unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY | unix.MS_NODEV, ""},
		{"tmpfs", root + "/tmp", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{temp, root + temp, "", unix.MS_BIND, ""}, // without what is mounted in it: this root
		{"/dev", root + "/dev", "", unix.MS_BIND | unix.MS_REC, ""},
		{"/sys", root + "/sys", "", unix.MS_BIND | unix.MS_REC, ""},
		{"proc", root + "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{filepath.Join(temp, "resolv.conf"), root + "/etc/resolv.conf", "", unix.MS_BIND, ""},
	} {
		if err := os.MkdirAll(m.target, 0o755); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, unix.ENOTDIR) {
			return err
		}
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("%s: mount on %s: %w", m.source, m.target, err)
		}
	}
	return nil
}
