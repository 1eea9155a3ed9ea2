package lab

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Namespace is a network namespace without a name: it ends with the process,
// or by Close once nothing in it lives.
type Namespace struct {
	name string
	fd   *os.File
	next atomic.Uint32 // see sourcePort
}

func newNamespace(name string) (*Namespace, error) {
	n := &Namespace{name: name}
	err := onThread(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		n.fd, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w", name, err)
	}
	return n, nil
}

// Do calls f in the namespace, in a goroutine that f must not hand work to.
// Sockets and processes that f makes stay in the namespace after it.
func (n *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.fd.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("namespace %s: enter: %w", n.name, err)
		}
		return f()
	})
}

// onThread calls f on a thread of its own, which ends with it: a thread that
// has changed its namespace must serve no other goroutine.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// Close lets go of the namespace.
func (n *Namespace) Close() error { return n.fd.Close() }

// Run runs a program in the namespace to its end. The error has what it said.
func (n *Namespace) Run(input, program string, args ...string) (string, error) {
	var out []byte
	err := n.Do(func() (err error) {
		c := exec.Command(program, args...)
		c.Stdin = strings.NewReader(input)
		out, err = c.CombinedOutput()
		return err
	})
	if err != nil {
		return string(out), fmt.Errorf("%s: %s %s: %w: %s", n.name, program, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// Sysctl sets one, by its path below /proc/sys.
func (n *Namespace) Sysctl(path, value string) error {
	return n.Do(func() error { return os.WriteFile("/proc/sys/"+path, []byte(value), 0) })
}

// links gives a handle on the namespace's links, addresses and routes.
func (n *Namespace) links() (*netlink.Handle, error) {
	var h *netlink.Handle
	err := n.Do(func() (err error) {
		h, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		return err
	})
	return h, err
}
