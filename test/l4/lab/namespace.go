package lab

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Namespace is a network namespace without a name: it ends with the process,
// or by Close once nothing in it lives.
type Namespace struct {
	name     string
	fd       *os.File
	tcp, udp atomic.Uint32 // see sourcePort

	work chan func() // taken by threads that wait in the namespace
	quit chan struct{}
	once sync.Once
}

func newNamespace(name string) (*Namespace, error) {
	n := named(name)
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			n.fd, err = os.Open("/proc/thread-self/ns/net")
		}
		done <- err
	}()
	if err := <-done; err != nil {
		return nil, fmt.Errorf("namespace %s: %w", name, err)
	}
	return n, nil
}

func named(name string) *Namespace {
	return &Namespace{name: name, work: make(chan func()), quit: make(chan struct{})}
}

// Do calls f in the namespace, in a goroutine that f must not hand work to.
// Sockets and processes that f makes stay in the namespace after it.
func (n *Namespace) Do(f func() error) error {
	done := make(chan error, 1)
	job := func() { done <- f() }
	select {
	case n.work <- job:
	default: // nobody waits: a thread more
		go func() {
			if err := n.enter(); err != nil {
				done <- err
				return
			}
			job()
			n.serve()
		}()
	}
	return <-done
}

// enter binds the goroutine to a thread in the namespace. The thread ends with
// the goroutine: it must serve no other one.
func (n *Namespace) enter() error {
	runtime.LockOSThread()
	if err := unix.Setns(int(n.fd.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("namespace %s: enter: %w", n.name, err)
	}
	return nil
}

// serve does what Do has to do until the namespace is closed: to make a thread
// and to move it costs more than a connection.
func (n *Namespace) serve() {
	for {
		select {
		case job := <-n.work:
			job()
		case <-n.quit:
			return
		}
	}
}

// Close lets go of the namespace. Nothing may be done in it any more.
func (n *Namespace) Close() error {
	n.once.Do(func() { close(n.quit) })
	return n.fd.Close()
}

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
