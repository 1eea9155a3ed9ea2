package main

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// namesHere gives this process and its children a hosts file that knows
// speedHost. The mounts are private to the bench, so nobody else sees it.
func namesHere(s *lab.Session, dir string) {
	file := filepath.Join(dir, "hosts")
	s.Must(os.WriteFile(file, []byte("127.0.0.1 localhost "+speedHost+"\n"), 0o644), "hosts")
	s.Must(unix.Mount(file, "/etc/hosts", "", unix.MS_BIND, ""), "/etc/hosts: bind")
	s.Cleanup(func() { s.Must(unix.Unmount("/etc/hosts", 0), "/etc/hosts: unmount") })
}

// enterable makes what a chroot into root needs: the temporary folder under the
// same path as outside, the devices and the processes.
func enterable(s *lab.Session, root string) {
	s.Cleanup(func() { // runs once it is unmounted
		if err := os.Remove(root + os.TempDir()); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.Errorf("%v", err)
		}
	})
	bind(s, os.TempDir(), root+os.TempDir(), unix.MS_BIND)
	bind(s, "/dev", root+"/dev", unix.MS_BIND|unix.MS_REC)
	bind(s, "/proc", root+"/proc", unix.MS_BIND|unix.MS_REC)
}

// bind mounts until the session ends.
func bind(s *lab.Session, source, target string, flags uintptr) {
	s.Must(os.MkdirAll(target, 0o755), target)
	s.Must(unix.Mount(source, target, "", flags, ""), target+": bind")
	s.Cleanup(func() { s.Must(unix.Unmount(target, unix.MNT_DETACH), target+": unmount") })
}
