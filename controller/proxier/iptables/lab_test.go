package iptables

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// cannot skips a test, or fails it where it was expected to run.
func cannot(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("in CI this must run: " + reason)
	}
	t.Skip("reason: " + reason)
}

// apart puts the test into a network namespace of its own, which ends with it.
func apart(t *testing.T) netns.NsHandle {
	t.Helper()
	if os.Geteuid() != 0 {
		cannot(t, "a network namespace needs root: run the tests as root")
	}
	if _, err := look(flavourLegacy, plan.IPv4); err != nil {
		cannot(t, err.Error())
	}
	// The thread is not unlocked, and so ends with the test.
	runtime.LockOSThread()
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
	return ns
}

// eachFlavour runs a test with both flavours, in a namespace for each.
func eachFlavour(t *testing.T, f func(t *testing.T, flavour string)) {
	for _, flavour := range []string{flavourLegacy, flavourNft} {
		t.Run(flavour, func(t *testing.T) {
			apart(t)
			f(t, flavour)
		})
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func backend(t *testing.T, flavour string) *Backend {
	t.Helper()
	b, err := New(Options{Log: quiet(), Flavour: flavour})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func syncTo(t *testing.T, b *Backend, p *plan.Plan) {
	t.Helper()
	if err := b.Sync(context.Background(), p); err != nil {
		t.Fatal(err)
	}
}

func apply(t *testing.T, b *Backend, changes ...plan.Change) {
	t.Helper()
	if err := b.Apply(context.Background(), changes); err != nil {
		t.Fatal(err)
	}
}

func intact(t *testing.T, b *Backend) bool {
	t.Helper()
	well, err := b.Intact(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return well
}

// compares is Intact when all chains are due to be compared. After it, that may
// be done again at once.
func compares(t *testing.T, b *Backend) bool {
	t.Helper()
	for _, f := range b.families() {
		f.watch = watch{}
	}
	well := intact(t, b)
	for _, f := range b.families() {
		f.watch.took = 0
	}
	return well
}

func run(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// chains are what the kernel has, by family, table and chain. Chains of the
// kernel's own are there only where they have rules.
func chains(t *testing.T, flavour string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, first := range []string{"iptables", "ip6tables"} {
		table := ""
		for line := range strings.Lines(run(t, "", first+"-"+flavour+"-save")) {
			line = strings.TrimSpace(line)
			switch {
			case strings.HasPrefix(line, "*"):
				table = first + " " + line[1:] + " "
			case strings.HasPrefix(line, ":"):
				if name, policy, _ := strings.Cut(line[1:], " "); policy[0] == '-' {
					all[table+name] = []string{}
				}
			case strings.HasPrefix(line, "-A "):
				name, body, _ := strings.Cut(line[3:], " ")
				all[table+name] = append(all[table+name], body)
			}
		}
	}
	return all
}

// A scene is a node between a client, a pod of its own and another node's, all in namespaces of their
// own, in which a test's thread moves about.
type scene struct {
	t                        *testing.T
	node, client, pod, other netns.NsHandle
}

const (
	clientAddress, nodeAddress = "192.0.2.7", "192.0.2.1"
	onePod, onePod6            = "10.244.1.10", "fd00:244:1::10"
	otherPod, otherPod6        = "10.244.2.10", "fd00:244:2::10" // is no local one
)

func newScene(t *testing.T) *scene {
	s := &scene{t: t, client: apart(t), pod: apart(t), other: apart(t)}
	s.node = apart(t)
	for path, value := range map[string]string{
		"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1", "ipv4/icmp_ratelimit": "0", "ipv6/icmp/ratelimit": "0",
		"ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0",
	} {
		if err := os.WriteFile("/proc/sys/net/"+path, []byte(value), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.wire("client", s.client, []string{nodeAddress + "/24", "2001:db8::1/64"}, []string{clientAddress + "/24", "2001:db8::7/64"})
	s.wire("pod", s.pod, []string{"10.244.1.1/24", "fd00:244:1::1/64"}, []string{onePod + "/24", onePod6 + "/64"})
	s.wire("other", s.other, []string{"10.244.2.1/24", "fd00:244:2::1/64"}, []string{otherPod + "/24", otherPod6 + "/64"})
	// The node's own connections to a Service need a route before nat sends
	// them elsewhere.
	s.in(s.node, func() {
		for _, via := range []string{clientAddress, "2001:db8::7"} {
			s.must(netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(via)}))
		}
	})
	return s
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// in moves the thread to a namespace and back to the node's.
func (s *scene) in(ns netns.NsHandle, f func()) {
	s.t.Helper()
	s.must(netns.Set(ns))
	f()
	s.must(netns.Set(s.node))
}

// wire puts a cable between the node and another namespace, whose default route
// is by way of the node.
func (s *scene) wire(name string, ns netns.NsHandle, near, far []string) {
	s.t.Helper()
	s.must(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: "far", PeerNamespace: netlink.NsFd(ns)}))
	s.up(name, near)
	s.in(ns, func() {
		s.up("far", far)
		for _, via := range near {
			s.must(netlink.RouteAdd(&netlink.Route{Gw: netip.MustParsePrefix(via).Addr().AsSlice()}))
		}
	})
}

func (s *scene) up(name string, addresses []string) {
	s.t.Helper()
	link, err := netlink.LinkByName(name)
	s.must(err)
	for _, a := range addresses {
		addr, err := netlink.ParseAddr(a)
		s.must(err)
		// Without duplicate address detection an address can be used at once.
		addr.Flags = 0x2
		if addr.IP.To4() != nil {
			addr.Flags = 0
		}
		s.must(netlink.AddrAdd(link, addr))
	}
	s.must(netlink.LinkSetUp(link))
}
