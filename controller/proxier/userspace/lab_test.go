package userspace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A place is a network beside the node's: of a client, or of a pod.
type place struct {
	name  string
	enter chan func()
}

// newPlace makes a network, on a thread that has it for good.
func newPlace(t *testing.T, name string) *place {
	t.Helper()
	p := &place{name: name, enter: make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		made <- unix.Unshare(unix.CLONE_NEWNET)
		for f := range p.enter {
			f()
		}
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(p.enter) })
	p.do(func() {
		up(t, "lo")
		sysctls(t)
	})
	return p
}

// do runs a function in the place.
func (p *place) do(f func()) {
	done := make(chan struct{})
	p.enter <- func() { defer close(done); f() }
	<-done
}

func up(t *testing.T, link string, addresses ...string) {
	t.Helper()
	l, err := netlink.LinkByName(link)
	if err != nil {
		t.Errorf("%s: %v", link, err)
		return
	}
	for _, text := range addresses {
		a, err := netlink.ParseAddr(text)
		if err != nil {
			t.Error(err)
			return
		}
		if a.IP.To4() == nil {
			a.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(l, a); err != nil {
			t.Errorf("%s: %s: %v", link, text, err)
		}
	}
	if err := netlink.LinkSetUp(l); err != nil {
		t.Errorf("%s: %v", link, err)
	}
}

func routeVia(t *testing.T, link, gateway string) {
	t.Helper()
	l, err := netlink.LinkByName(link)
	if err != nil {
		t.Error(err)
		return
	}
	gw := net.ParseIP(gateway)
	family := plan.IPv4
	if gw.To4() == nil {
		family = plan.IPv6
	}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: gw, Dst: everything(family)}); err != nil {
		t.Errorf("route by %s: %v", gateway, err)
	}
}

// sysctls of the network that the thread is in: /proc/thread-self has it.
func sysctls(t *testing.T) {
	t.Helper()
	for path, value := range map[string]string{
		"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1",
		"ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0",
		"ipv4/icmp_ratelimit": "0", "ipv6/icmp/ratelimit": "0",
		"ipv6/conf/default/accept_dad": "0",
	} {
		if err := os.WriteFile(filepath.Join("/proc/sys/net", path), []byte(value), 0); err != nil {
			t.Logf("%s: %v", path, err)
		}
	}
}

// A lab is this process's network as a node, with a client, two pods with links
// of their own, and two behind a bridge.
type lab struct {
	client   *place
	pods     []*place // 10.1.0.2, 10.1.1.2, and 10.2.0.2, 10.2.0.3 behind the bridge
	backend  *Backend
	settings plan.Settings
	ports    map[plan.ID]*plan.Port
}

func newLab(t *testing.T) *lab {
	t.Helper()
	needsNetwork(t)
	if err := Supported(t.Context()); err != nil {
		unavailable(t, "reason: "+err.Error())
	}
	l := &lab{ports: map[plan.ID]*plan.Port{}}
	sysctls(t)
	l.client = newPlace(t, "client")
	l.wire(t, l.client, "c0", []string{"192.0.2.1/24", "2001:db8:c::1/64"}, []string{"192.0.2.7/24", "2001:db8:c::7/64"}, "")
	for i := range 2 {
		p := newPlace(t, fmt.Sprint("pod", i))
		l.wire(t, p, fmt.Sprint("p", i), []string{fmt.Sprintf("10.1.%d.1/24", i), fmt.Sprintf("fd00:1:%d::1/64", i)},
			[]string{fmt.Sprintf("10.1.%d.2/24", i), fmt.Sprintf("fd00:1:%d::2/64", i)}, "")
		l.pods = append(l.pods, p)
	}
	br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0", HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 9}}}
	if err := netlink.LinkAdd(br); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(br) })
	up(t, "br0", "10.2.0.1/24", "fd00:2::1/64")
	for i := range 2 {
		p := newPlace(t, fmt.Sprint("bridged", i))
		l.wire(t, p, fmt.Sprint("b", i), []string{"10.2.0.1/24", "fd00:2::1/64"},
			[]string{fmt.Sprintf("10.2.0.%d/24", i+2), fmt.Sprintf("fd00:2::%d/64", i+2)}, "br0")
		l.pods = append(l.pods, p)
	}
	// The rest of the world, so that there is a route to addresses of Services.
	routeVia(t, "c0", "192.0.2.254")
	routeVia(t, "c0", "2001:db8:c::fe")
	var err error
	if l.backend, err = New(Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.backend.Close(); err != nil {
			t.Error(err)
		}
		if err := Cleanup(context.Background()); err != nil {
			t.Error(err)
		}
	})
	l.settings = plan.Settings{
		NodePorts: plan.NodePorts{All: true}, MasqueradeMark: 0x4000,
		Detect: plan.Detect{Mode: plan.DetectCIDRs, CIDRs: prefixes("10.1.0.0/16", "10.2.0.0/24", "fd00:1::/32", "fd00:2::/64")},
	}
	return l
}

// wire joins a place to the node, or to a bridge of it.
func (l *lab) wire(t *testing.T, p *place, link string, here, there []string, bridge string) {
	t.Helper()
	tid := make(chan int, 1)
	p.do(func() { tid <- unix.Gettid() })
	fd, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", <-tid))
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	v := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: link}, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(fd.Fd()))}
	if err := netlink.LinkAdd(v); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(v) })
	if bridge != "" {
		br, err := netlink.LinkByName(bridge)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetMaster(v, br); err != nil {
			t.Fatal(err)
		}
		up(t, link)
	} else {
		up(t, link, here...)
	}
	p.do(func() {
		up(t, "eth0", there...)
		for _, h := range here {
			routeVia(t, "eth0", strings.Split(h, "/")[0])
		}
	})
}

// serve answers in a pod with the pod's name and who it saw, until the test ends.
func (p *place) serve(t *testing.T, port uint16) {
	t.Helper()
	for _, f := range families {
		at := netip.AddrPortFrom(f.Any(), port)
		p.do(func() {
			ln, err := listenTCP(t.Context(), at)
			if err != nil {
				t.Error(err)
				return
			}
			c, err := listenUDP(t.Context(), at)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { ln.Close(); c.Close() })
			go answerTCP(ln, p.name)
			go answerUDP(c, p.name)
		})
	}
}

// answerTCP says who it is and who it saw, and then what it is told.
func answerTCP(ln *net.TCPListener, name string) {
	for {
		c, err := ln.AcceptTCP()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			fmt.Fprintf(c, "%s %s\n", name, addrPort(c.RemoteAddr()).Addr())
			_, _ = io.Copy(c, c)
		}()
	}
}

func answerUDP(c *net.UDPConn, name string) {
	buf := make([]byte, datagramSize)
	for {
		_, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		_, _ = c.WriteToUDPAddrPort(fmt.Appendf(nil, "%s %s\n", name, plain(from).Addr()), from)
	}
}

// patience is how long what must come may take; a drop is known by its end.
const patience = 3 * time.Second

// ask sends to an address from a place (nil: the node), and gives the answer:
// "name source", "refused", "dropped", or the error.
func ask(p *place, protocol plan.Protocol, to string) string {
	var said string
	f := func() { said = dialogue(protocol, to, patience) }
	if p == nil {
		f()
	} else {
		p.do(f)
	}
	return said
}

func dialogue(protocol plan.Protocol, to string, patience time.Duration) string {
	at := netip.MustParseAddrPort(to)
	n := net.Dialer{Timeout: patience}
	n.SetMultipathTCP(false)
	c, err := n.Dial(network(protocol.String(), plan.FamilyOf(at.Addr())), to)
	if err != nil {
		return outcome(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if protocol == plan.UDP {
		// A reject on the way out fails the send with EPERM; its ICMP error is what
		// a read then gets.
		if _, err := c.Write([]byte("?")); err != nil && !errors.Is(err, unix.EPERM) {
			return outcome(err)
		}
	}
	buf := make([]byte, 100)
	m, err := c.Read(buf)
	if err != nil {
		return outcome(err)
	}
	return strings.TrimSpace(string(buf[:m]))
}

func outcome(err error) string {
	switch {
	case late(err):
		return "dropped"
	case strings.Contains(err.Error(), "refused"):
		return "refused"
	case strings.Contains(err.Error(), "reset"), err == io.EOF:
		return "reset"
	}
	return err.Error()
}

func (l *lab) plan() *plan.Plan {
	p := &plan.Plan{Settings: l.settings, Ports: map[plan.ID]*plan.Port{}}
	for id, port := range l.ports {
		p.Ports[id] = port
	}
	return p
}

func (l *lab) sync(t *testing.T) {
	t.Helper()
	if err := l.backend.Sync(t.Context(), l.plan()); err != nil {
		t.Fatal(err)
	}
}

func prefixes(all ...string) []netip.Prefix {
	var some []netip.Prefix
	for _, s := range all {
		some = append(some, netip.MustParsePrefix(s))
	}
	return some
}
