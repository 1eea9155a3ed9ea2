package userspace

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier"
)

var _ proxier.Backend = (*Backend)(nil)

// inside names the variable that is set in the process that has a network of
// its own.
const insideVariable = "SALLYPORT_USERSPACE_TEST_NETWORK"

// TestMain runs all tests in a process with a network of its own: the proxy's
// sockets are made by goroutines on any thread, and so a thread's own network
// would not do.
func TestMain(m *testing.M) {
	if os.Getenv(insideVariable) != "" {
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "lo:", err)
			os.Exit(1)
		}
	}
	if os.Geteuid() != 0 || os.Getenv(insideVariable) != "" {
		os.Exit(m.Run())
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	c := exec.Command(self, os.Args[1:]...)
	c.Env = append(os.Environ(), insideVariable+"=1")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
	err = c.Run()
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		os.Exit(failed.ExitCode())
	case err != nil:
		// Root, but not of a machine whose network it may divide.
		fmt.Fprintln(os.Stderr, "no network of its own:", err)
		os.Exit(m.Run())
	}
}

// needsNetwork skips a test where the process has no network of its own, and
// fails it where it was expected to have one.
func needsNetwork(t *testing.T) {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		return
	}
	unavailable(t, "reason: no network namespace can be made: run the tests as root with CAP_SYS_ADMIN and CAP_NET_ADMIN")
}

func unavailable(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
