package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// A namespace is a network of its own.
type namespace struct {
	file *os.File
	link *netlink.Handle
}

// newNamespace makes one that lives until the session ends, or as long as a
// process is in it.
func newNamespace(s *lab.Session) *namespace {
	n := &namespace{}
	onThread(func() {
		s.Must(unix.Unshare(unix.CLONE_NEWNET), "new network namespace")
		var err error
		n.file, err = os.Open("/proc/thread-self/ns/net")
		s.Must(err, "new network namespace")
	})
	n.open(s)
	lo, err := n.link.LinkByName("lo")
	s.Must(err, "loopback")
	s.Must(n.link.LinkSetUp(lo), "loopback")
	return n
}

// open gives the namespace a socket to configure it by.
func (n *namespace) open(s *lab.Session) {
	n.do(s, func() {
		var err error
		n.link, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		s.Must(err, "netlink")
	})
	s.Cleanup(func() { n.link.Close(); n.file.Close() })
}

// do calls f where sockets are made, processes are started and sysctls are
// written in the namespace. A session that f ends is ended for the caller.
func (n *namespace) do(s *lab.Session, f func()) {
	onThread(func() {
		s.Must(unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET), "enter network namespace")
		f()
	})
}

// onThread calls f on a thread that ends with it: what f did to the thread,
// nobody else gets.
func onThread(f func()) {
	returned := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock
		f()
		returned = true
	}()
	<-done
	if !returned {
		runtime.Goexit()
	}
}

// sysctl sets values of the namespace.
func (n *namespace) sysctl(s *lab.Session, values map[string]string) {
	n.do(s, func() {
		for name, value := range values {
			s.Must(os.WriteFile("/proc/sys/net/"+name, []byte(value), 0), "sysctl")
		}
	})
}

// connect lays a cable between two namespaces. Each end has one of two
// addresses, written with the length of the prefix they share.
func connect(s *lab.Session, a *namespace, nameA, addressA string, b *namespace, nameB, addressB string) {
	cable := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: nameA}, PeerName: nameB, PeerNamespace: netlink.NsFd(b.file.Fd())}
	what := fmt.Sprintf("cable from %s to %s", nameA, nameB)
	s.Must(a.link.LinkAdd(cable), what)
	a.up(s, nameA, addressA)
	b.up(s, nameB, addressB)
}

// up gives a device an address.
func (n *namespace) up(s *lab.Session, device, address string) {
	l, err := n.link.LinkByName(device)
	s.Must(err, device)
	a, err := netlink.ParseAddr(address)
	s.Must(err, device)
	s.Must(n.link.AddrAdd(l, a), device)
	s.Must(n.link.LinkSetUp(l), device)
}

// route sends what goes to a prefix by way of a neighbour.
func (n *namespace) route(s *lab.Session, prefix, via string) {
	to, err := netlink.ParseIPNet(prefix)
	s.Must(err, prefix)
	gateway, err := netlink.ParseAddr(via + "/32")
	s.Must(err, via)
	s.Must(n.link.RouteAdd(&netlink.Route{Dst: to, Gw: gateway.IP}), "route to "+prefix)
}

// own makes each address of a prefix one of the namespace's.
func (n *namespace) own(s *lab.Session, prefix string) {
	to, err := netlink.ParseIPNet(prefix)
	s.Must(err, prefix)
	lo, err := n.link.LinkByName("lo")
	s.Must(err, "loopback")
	local := &netlink.Route{Dst: to, LinkIndex: lo.Attrs().Index, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: unix.RT_SCOPE_HOST}
	s.Must(n.link.RouteAdd(local), "local route to "+prefix)
}
