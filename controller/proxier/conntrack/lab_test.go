package conntrack

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// need skips a test that can't run here, and fails it where all must run.
func need(t *testing.T, ok bool, reason string) {
	t.Helper()
	if ok {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("reason: " + reason)
	}
	t.Skip("reason: " + reason)
}

// private puts the test into a network namespace of its own, which goes with
// the test's thread. What the test starts in other goroutines isn't in it.
func private(t *testing.T) {
	t.Helper()
	need(t, os.Geteuid() == 0, "not root; run the tests as root")
	for _, tool := range []string{"conntrack", "nft"} {
		_, err := exec.LookPath(tool)
		need(t, err == nil, tool+" is missing; install the package "+map[string]string{"conntrack": "conntrack", "nft": "nftables"}[tool])
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		need(t, false, "no network namespace can be made: "+err.Error())
	}
	run(t, "ip", "link", "set", "lo", "up")
	for _, a := range []string{"192.0.2.11/32", "198.51.100.11/32", "10.244.1.10/32", "10.244.1.11/32"} {
		run(t, "ip", "address", "add", a, "dev", "lo")
	}
	run(t, "ip", "-6", "address", "add", "2001:db8:a::11/128", "dev", "lo", "nodad")
	run(t, "ip", "route", "add", "default", "dev", "lo")
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// insert puts a flow into the table: from a client at 203.0.113.7, or at
// 2001:db8::7, to a destination, answered by a source.
func insert(t *testing.T, protocol string, clientPort int, destination, source string, more ...string) {
	t.Helper()
	d, s := netip.MustParseAddrPort(destination), netip.MustParseAddrPort(source)
	client := "203.0.113.7"
	if d.Addr().Is6() {
		client = "2001:db8::7"
	}
	port := strconv.Itoa(clientPort)
	args := []string{"-I", "-p", protocol, "-t", "300", "-s", client, "--sport", port, "-d", d.Addr().String(), "--dport", strconv.Itoa(int(d.Port())),
		"-r", s.Addr().String(), "--reply-port-src", strconv.Itoa(int(s.Port())), "-q", client, "--reply-port-dst", port}
	if protocol == "tcp" {
		args = append(args, "--state", "ESTABLISHED")
	}
	run(t, "conntrack", append(args, more...)...)
}

// clientPorts reads the table by other means than the package's, and returns
// the client's ports of its flows.
func clientPorts(t *testing.T) []int {
	t.Helper()
	var ports []int
	for _, f := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		flows, err := netlink.ConntrackTableList(netlink.ConntrackTable, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range flows {
			ports = append(ports, int(f.Forward.SrcPort))
		}
	}
	slices.Sort(ports)
	return ports
}

func id(name string, f plan.Family) plan.ID {
	return plan.ID{Service: plan.Service{Namespace: "default", Name: name}, Protocol: plan.UDP, Family: f}
}

// port makes a port of UDP that is reached at addresses, of which those with an
// unspecified address are node ports.
func port(id plan.ID, at []string, serving ...string) *plan.Port {
	p := &plan.Port{ID: id}
	for _, a := range at {
		to := netip.MustParseAddrPort(a)
		f := plan.Frontend{Kind: plan.ClusterIP, Address: to.Addr(), Port: to.Port()}
		if to.Addr().IsUnspecified() {
			f.Kind, f.Address = plan.NodePort, netip.Addr{}
		}
		p.Frontends = append(p.Frontends, f)
	}
	for _, e := range serving {
		p.Cluster = append(p.Cluster, plan.Endpoint{Address: netip.MustParseAddrPort(e), Weight: 1})
	}
	return p
}

func planOf(ports ...*plan.Port) *plan.Plan {
	p := &plan.Plan{Settings: plan.Settings{NodePorts: plan.NodePorts{All: true}}, Ports: map[plan.ID]*plan.Port{}}
	for _, port := range ports {
		p.Ports[port.ID] = port
	}
	return p
}

// serve answers each datagram with the address of the socket that got it.
func serve(t *testing.T, at string) {
	t.Helper()
	c, err := net.ListenPacket("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 64)
		for {
			_, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			c.WriteTo([]byte(at), from)
		}
	}()
}
