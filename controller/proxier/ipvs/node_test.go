package ipvs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A node is a network namespace that plays the node, with a client on its
// network and two pods.
//
//	client 192.0.2.7, 2001:db8:a::7
//	   |
//	node   192.0.2.11, 2001:db8:a::11; 10.244.1.1, fd00:244:1::1
//	   |        |
//	p1 .10   p2 .11 of 10.244.1.0/24 and fd00:244:1::/64
type node struct {
	t     *testing.T
	names map[string]netns.NsHandle
}

const nodeIP, nodeIP6 = "192.0.2.11", "2001:db8:a::11"

func newNode(t *testing.T) *node {
	t.Helper()
	needGuest(t)
	n := &node{t, map[string]netns.NsHandle{}}
	for _, name := range []string{"node", "client", "p1", "p2"} {
		n.add(name)
	}
	n.set("node",
		"ipv4/ip_forward=1", "ipv4/conf/all/rp_filter=0", "ipv4/conf/default/rp_filter=0", "ipv6/conf/all/forwarding=1",
		"ipv4/icmp_ratelimit=0", "ipv6/icmp/ratelimit=0", "ipv6/conf/default/accept_dad=0")
	n.batch("node", `
		link set lo up
		link add eth0 type veth peer name eth0 netns client
		link add v1 type veth peer name eth0 netns p1
		link add v2 type veth peer name eth0 netns p2
		link add cni0 type bridge
		link set v1 master cni0
		link set v2 master cni0
		# As CNI's bridge does it: without, br_netfilter's packets don't turn back.
		link set v1 type bridge_slave hairpin on
		link set v2 type bridge_slave hairpin on
		link set eth0 up
		link set cni0 up
		link set v1 up
		link set v2 up
		address add 192.0.2.11/24 dev eth0
		address add 2001:db8:a::11/64 dev eth0 nodad
		address add 10.244.1.1/24 dev cni0
		address add fd00:244:1::1/64 dev cni0 nodad
		route add default via 192.0.2.7
		route add default via 2001:db8:a::7`)
	n.batch("client", host("192.0.2.7/24", "2001:db8:a::7/64", nodeIP, nodeIP6))
	n.batch("p1", host("10.244.1.10/24", "fd00:244:1::10/64", "10.244.1.1", "fd00:244:1::1"))
	n.batch("p2", host("10.244.1.11/24", "fd00:244:1::11/64", "10.244.1.1", "fd00:244:1::1"))
	return n
}

func host(v4, v6, via4, via6 string) string {
	return fmt.Sprintf(`
		link set lo up
		link set eth0 up
		address add %s dev eth0
		address add %s dev eth0 nodad
		route add default via %s
		route add default via %s`, v4, v6, via4, via6)
}

func (n *node) add(name string) {
	n.t.Helper()
	done := make(chan error)
	go func() { // the thread ends with it
		runtime.LockOSThread()
		h, err := netns.NewNamed(name)
		n.names[name] = h
		done <- err
	}()
	if err := <-done; err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		h := n.names[name]
		h.Close()
		if err := netns.DeleteNamed(name); err != nil {
			n.t.Error(err)
		}
	})
}

// in calls a function on a thread in a namespace.
func (n *node) in(name string, do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(n.names[name]); err != nil {
			done <- err
			return
		}
		done <- do()
	}()
	return <-done
}

func (n *node) sh(at, script string) string {
	n.t.Helper()
	out, err := exec.Command("ip", "netns", "exec", at, "bash", "-ec", script).CombinedOutput()
	if err != nil {
		n.t.Fatalf("%s: %s: %v\n%s", at, script, err, out)
	}
	return string(out)
}

// batch gives lines to one ip: to start a process is what costs most in
// User-mode Linux, and a node needs thirty lines.
func (n *node) batch(at, lines string) {
	n.t.Helper()
	c := exec.Command("ip", "-netns", at, "-batch", "-")
	c.Stdin = strings.NewReader(lines)
	if out, err := c.CombinedOutput(); err != nil {
		n.t.Fatalf("%s: %v\n%s", at, err, out)
	}
}

// set writes a namespace's files below /proc/sys/net.
func (n *node) set(at string, settings ...string) {
	n.t.Helper()
	err := n.in(at, func() error {
		for _, s := range settings {
			name, value, _ := strings.Cut(s, "=")
			if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// serve answers at a port of a namespace with its name, and the address that it
// was called from; then it says again what it is told.
func (n *node) serve(name string, port int) {
	n.t.Helper()
	err := n.in(name, func() error {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			return err
		}
		u, err := net.ListenPacket("udp", fmt.Sprintf(":%d", port))
		if err != nil {
			return err
		}
		n.t.Cleanup(func() { l.Close(); u.Close() })
		go acceptAll(name, l)
		go answerAll(name, u)
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

func acceptAll(name string, l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			fmt.Fprintf(c, "%s %s\n", name, bare(c.RemoteAddr()))
			for lines := bufio.NewScanner(c); lines.Scan(); {
				fmt.Fprintln(c, lines.Text())
			}
		}()
	}
}

func answerAll(name string, u net.PacketConn) {
	buf := make([]byte, 64)
	for {
		_, from, err := u.ReadFrom(buf)
		if err != nil {
			return
		}
		u.WriteTo([]byte(name+" "+bare(from)+"\n"), from)
	}
}

func bare(a net.Addr) string {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return err.Error()
	}
	return at.Addr().Unmap().String()
}

// open calls an address from a namespace and gives what it is told first.
func (n *node) open(from, network, to string) (c net.Conn, told string, err error) {
	err = n.in(from, func() error {
		// That something is dropped shows in nothing but that no answer comes.
		c, err = net.DialTimeout(network, to, time.Second)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if network == "udp" {
		fmt.Fprintln(c, "hello")
	}
	c.SetReadDeadline(time.Now().Add(time.Second))
	told, err = bufio.NewReader(c).ReadString('\n')
	if err != nil {
		c.Close()
		return nil, "", err
	}
	c.SetReadDeadline(time.Time{})
	return c, strings.TrimSpace(told), nil
}

// call is what becomes of one connection: who answered and what it saw, or
// "refused" or "dropped".
func (n *node) call(from, network, to string) string {
	c, told, err := n.open(from, network, to)
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "dropped"
	case err != nil:
		return err.Error()
	}
	reset(c)
	return told
}

// reset ends a connection so that ipvs forgets it in ten seconds, not in two
// minutes.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.Close()
}

// expect holds what becomes of a call from somewhere, by TCP and by UDP.
func (n *node) expect(from, to, want string) {
	n.t.Helper()
	networks := []string{"tcp", "udp"}
	got := make(chan string)
	for _, network := range networks {
		go func() { got <- network + ": " + n.call(from, network, to) }()
	}
	for range networks {
		if told := <-got; !strings.HasSuffix(told, "p: "+want) {
			n.t.Errorf("%s → %s by %s, want %s", from, to, told, want)
		}
	}
}

// says holds that a connection is alive.
func (n *node) says(c net.Conn, what string) {
	n.t.Helper()
	fmt.Fprintln(c, what)
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	got, err := bufio.NewReader(c).ReadString('\n')
	if strings.TrimSpace(got) != what || err != nil {
		n.t.Errorf("connection says %q and %v, want %q", got, err, what)
	}
}

// A daemon is a Backend in the node's namespace.
type daemon struct {
	*node
	*Backend
}

func (n *node) start(o Options) *daemon {
	n.t.Helper()
	d := &daemon{node: n}
	err := n.in("node", func() (err error) {
		d.Backend, err = New(o)
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	d.lookEach = 0
	n.t.Cleanup(func() {
		if err := d.Close(); err != nil {
			n.t.Error(err)
		}
	})
	return d
}

func (d *daemon) sync(p *plan.Plan) {
	d.t.Helper()
	if err := d.in("node", func() error { return d.Sync(d.t.Context(), p) }); err != nil {
		d.t.Fatal(err)
	}
}

func (d *daemon) apply(changes ...plan.Change) {
	d.t.Helper()
	if err := d.in("node", func() error { return d.Apply(d.t.Context(), changes) }); err != nil {
		d.t.Fatal(err)
	}
}

func (d *daemon) intact() bool {
	d.t.Helper()
	var ok bool
	err := d.in("node", func() (err error) {
		ok, err = d.Intact(d.t.Context())
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return ok
}

func (n *node) cleanup() {
	n.t.Helper()
	if err := n.in("node", func() error { return Cleanup(context.Background()) }); err != nil {
		n.t.Fatal(err)
	}
}
