package nftables

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A world is a node with two pods and a client, each in a network namespace.
// The test's own thread is in the node's.
type world struct {
	node, client netns
	pods         [2]netns
}

// A netns is a thread that is in a network namespace, and does there what it
// is given.
type netns struct {
	tid  int
	work chan func()
}

func newNetns(t *testing.T) netns {
	t.Helper()
	n := netns{work: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the namespace ends with it
		err := unix.Unshare(unix.CLONE_NEWNET)
		n.tid = unix.Gettid()
		ready <- err
		for f := range n.work {
			f()
		}
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(n.work) })
	return n
}

// do runs f in the namespace. What it opens stays there.
func (n netns) do(f func()) {
	done := make(chan bool)
	n.work <- func() { defer close(done); f() }
	<-done
}

func (n netns) ip(t *testing.T, script string) {
	t.Helper()
	n.do(func() {
		for line := range strings.Lines(script) {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
				t.Errorf("ip %s: %v: %s", line, err, out)
			}
		}
	})
}

func (n netns) sysctl(t *testing.T, values map[string]string) {
	t.Helper()
	n.do(func() {
		for name, v := range values {
			file := fmt.Sprintf("/proc/thread-self/root/proc/sys/net/%s", name)
			if err := os.WriteFile(file, []byte(v), 0o644); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
		}
	})
}

func newWorld(t *testing.T) *world {
	t.Helper()
	private(t)
	if _, err := exec.LookPath("ip"); err != nil {
		cannot(t, "no ip: install the package iproute2")
	}
	w := &world{node: newNetns(t), client: newNetns(t)}
	w.node.sysctl(t, map[string]string{
		"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1", "ipv4/conf/all/rp_filter": "0",
		"ipv4/conf/default/rp_filter": "0", "ipv4/icmp_ratelimit": "0", "ipv6/icmp/ratelimit": "0",
	})
	w.node.ip(t, `
		link set lo up
		link add cni0 type bridge
		address add 10.244.200.1/16 dev cni0
		address add fd00:10:244::ffff/64 dev cni0 nodad
		link set cni0 up`)
	w.connect(t, w.client, "up0", `
		address add 192.0.2.100/24 dev eth0
		address add 2001:db8::100/64 dev eth0 nodad`, "192.0.2.11", "2001:db8::11")
	w.node.ip(t, `
		address add 192.0.2.11/24 dev up0
		address add 2001:db8::11/64 dev up0 nodad
		route add default via 192.0.2.100
		-6 route add default via 2001:db8::100`)
	for i := range w.pods {
		w.pods[i] = newNetns(t)
		w.connect(t, w.pods[i], fmt.Sprintf("veth%d", i), fmt.Sprintf(`
			address add 10.244.0.%d/16 dev eth0
			address add fd00:10:244::%d/64 dev eth0 nodad`, i+1, i+1), "10.244.200.1", "fd00:10:244::ffff")
		w.node.ip(t, fmt.Sprintf("link set veth%d master cni0\nlink set veth%d type bridge_slave hairpin on", i, i))
		w.pods[i].serve(t)
	}
	w.settle(t)
	return w
}

// settle waits until the network is up: the kernel takes a second or so until a
// new port of a bridge passes neighbour discovery on. No Service is there yet,
// so nothing of what is tested is asked.
func (w *world) settle(t *testing.T) {
	t.Helper()
	for i := range w.pods {
		for _, pod := range []string{fmt.Sprintf("10.244.0.%d", i+1), fmt.Sprintf("fd00:10:244::%d", i+1)} {
			var last outcome
			for range 50 {
				if last = w.client.dial(net.JoinHostPort(pod, "8080")); last.endpoint == pod {
					break
				}
			}
			if last.endpoint != pod {
				t.Fatalf("the network of the test does not come up: client to pod %s: %+v", pod, last)
			}
		}
	}
}

// connect lays a cable from the node to another namespace.
func (w *world) connect(t *testing.T, to netns, name, addresses, via4, via6 string) {
	t.Helper()
	w.node.ip(t, fmt.Sprintf("link add %s type veth peer name eth0 netns %d\nlink set %s up", name, to.tid, name))
	to.ip(t, "link set lo up\n"+addresses+"\nlink set eth0 up\nroute add default via "+via4+"\n-6 route add default via "+via6)
}

// serve answers on port 8080, TCP and UDP, with the server's address and the
// client's.
func (n netns) serve(t *testing.T) {
	t.Helper()
	n.do(func() {
		l, err := net.Listen("tcp", ":8080")
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				fmt.Fprintf(c, "%s %s", host(c.LocalAddr()), host(c.RemoteAddr()))
				c.Close()
			}
		}()
	})
}

func host(a net.Addr) string {
	return netip.MustParseAddrPort(a.String()).Addr().Unmap().String()
}

// An outcome of a connection: the endpoint and the source that it saw, or
// refused or dropped.
type outcome struct{ endpoint, source, failed string }

const (
	refusedAt = "refused"
	droppedAt = "dropped"
)

// dial connects from a namespace. A drop is believed after a while: what is
// answered at all here is answered within a millisecond.
func (n netns) dial(to string) outcome {
	var o outcome
	n.do(func() {
		c, err := net.DialTimeout("tcp", to, 700*time.Millisecond)
		var slow net.Error
		switch {
		case errors.Is(err, unix.ECONNREFUSED):
			o.failed = refusedAt
		case errors.As(err, &slow) && slow.Timeout():
			o.failed = droppedAt
		case err != nil:
			o.failed = err.Error()
		default:
			defer c.Close()
			b, err := io.ReadAll(c)
			if err != nil {
				o.failed = err.Error()
				return
			}
			o.endpoint, o.source, _ = strings.Cut(string(b), " ")
		}
	})
	return o
}

// backend is made in the node's namespace; its sockets stay there.
func (w *world) backend(t *testing.T) *Backend {
	t.Helper()
	var b *Backend
	w.node.do(func() { b = backend(t) })
	return b
}

func TestTraffic(t *testing.T) {
	for _, f := range families {
		t.Run(f.String(), func(t *testing.T) { testTraffic(t, builder(f)) })
	}
}

func testTraffic(t *testing.T, b builder) {
	w := newWorld(t)
	back := w.backend(t)
	local := func(f plan.Frontend) plan.Frontend { f.Local = true; return f }
	web := b.port("web", b.clusterIP(1, 80), nodePortAt(30080), b.lb(1, 80))
	web.Cluster = b.pods(1, 2)
	edge := b.port("edge", b.clusterIP(2, 80), local(nodePortAt(30081)), local(b.lb(2, 80)))
	edge.Cluster, edge.Local = b.pods(2), b.pods(2)
	away := b.port("away", b.clusterIP(3, 80), local(b.lb(3, 80)))
	away.Cluster = b.pods(2)
	idle := b.port("idle", b.clusterIP(4, 80), nodePortAt(30082))
	open, closed := b.lb(5, 80), b.lb(6, 80)
	open.Sources = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	closed.Sources = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	client, node, bridge := "192.0.2.100", "192.0.2.11", "10.244.200.1"
	if plan.Family(b) == plan.IPv6 {
		open.Sources = []netip.Prefix{netip.MustParsePrefix("2001:db8::/64")}
		closed.Sources = []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/64")}
		client, node, bridge = "2001:db8::100", "2001:db8::11", "fd00:10:244::ffff"
	}
	guarded := b.port("guarded", open, closed)
	guarded.Cluster = b.pods(1)
	hairpin := b.port("hairpin", b.clusterIP(7, 80))
	hairpin.Cluster = b.pods(1)
	bring(t, back, planOf(settings(), web, edge, away, idle, guarded, hairpin))

	vip := func(n int, port string) string { return net.JoinHostPort(b.address("vip", n).String(), port) }
	lb := func(n int) string { return net.JoinHostPort(b.address("lb", n).String(), "80") }
	pod := func(n int) string { return b.address("pod", n).String() }
	for _, c := range []struct {
		name string
		from netns
		to   string
		want outcome // endpoint "" is any
	}{
		{"client to ClusterIP", w.client, vip(1, "80"), outcome{source: bridge}},
		{"client to NodePort", w.client, net.JoinHostPort(node, "30080"), outcome{source: bridge}},
		{"client to LB", w.client, lb(1), outcome{source: bridge}},
		{"client to Local NodePort", w.client, net.JoinHostPort(node, "30081"), outcome{pod(2), client, ""}},
		{"client to Local LB", w.client, lb(2), outcome{pod(2), client, ""}},
		{"client to Local LB without", w.client, lb(3), outcome{failed: droppedAt}},
		{"pod to Local LB without", w.pods[0], lb(3), outcome{pod(2), pod(1), ""}},
		{"node to Local LB without", w.node, lb(3), outcome{pod(2), bridge, ""}},
		{"pod to ClusterIP", w.pods[0], vip(2, "80"), outcome{pod(2), pod(1), ""}},
		{"pod to itself", w.pods[0], vip(7, "80"), outcome{pod(1), bridge, ""}},
		{"node to ClusterIP", w.node, vip(2, "80"), outcome{pod(2), bridge, ""}},
		{"node to its NodePort", w.node, net.JoinHostPort(node, "30080"), outcome{source: bridge}},
		{"client to no endpoints", w.client, vip(4, "80"), outcome{failed: refusedAt}},
		{"node to no endpoints", w.node, vip(4, "80"), outcome{failed: refusedAt}},
		{"client to NodePort without", w.client, net.JoinHostPort(node, "30082"), outcome{failed: refusedAt}},
		{"client to unused port", w.client, vip(1, "81"), outcome{failed: refusedAt}},
		{"node to unused port", w.node, vip(1, "81"), outcome{failed: refusedAt}},
		{"client among the sources", w.client, lb(5), outcome{pod(1), bridge, ""}},
		{"client not among the sources", w.client, lb(6), outcome{failed: droppedAt}},
		{"pod not among the sources", w.pods[1], lb(6), outcome{failed: droppedAt}},
	} {
		got := c.from.dial(c.to)
		if c.want.endpoint == "" {
			got.endpoint = ""
		}
		if got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
	count, err := back.Connections(t.Context())
	if err != nil || count[web.ID] != 4 || count[guarded.ID] != 1 {
		t.Errorf("web has %d connections and guarded %d (%v), want 4 and 1", count[web.ID], count[guarded.ID], err)
	}
}

func TestEndpointsAreChosenAsBalanceSays(t *testing.T) {
	for _, f := range families {
		for balance, name := range kinds {
			t.Run(f.String()+" "+name, func(t *testing.T) {
				w, b := newWorld(t), builder(f)
				back := w.backend(t)
				p := b.port("web", b.clusterIP(1, 80))
				p.Balance, p.Cluster = balance, b.pods(1, 2)
				bring(t, back, planOf(settings(), p))
				got := map[string]int{}
				for range 40 {
					got[w.client.dial(net.JoinHostPort(b.address("vip", 1).String(), "80")).endpoint]++
				}
				one, two := got[b.address("pod", 1).String()], got[b.address("pod", 2).String()]
				if one+two != 40 {
					t.Fatalf("not all got an answer: %v", got)
				}
				switch balance {
				case plan.RoundRobin:
					if one != 20 {
						t.Errorf("not one after the other: %v", got)
					}
				case plan.Random:
					if one == 0 || two == 0 {
						t.Errorf("always the same: %v", got)
					}
				default:
					if one != 0 && two != 0 {
						t.Errorf("one client has two endpoints: %v", got)
					}
				}
			})
		}
	}
}

func TestAffinity(t *testing.T) {
	for _, f := range families {
		t.Run(f.String(), func(t *testing.T) {
			w, b := newWorld(t), builder(f)
			back := w.backend(t)
			p := b.port("cart", b.clusterIP(1, 80), nodePortAt(30080))
			p.Affinity, p.Cluster = time.Hour, b.pods(1, 2)
			bring(t, back, planOf(settings(), p))
			node := "192.0.2.11"
			if f == plan.IPv6 {
				node = "2001:db8::11"
			}
			for _, to := range []string{net.JoinHostPort(b.address("vip", 1).String(), "80"), net.JoinHostPort(node, "30080")} {
				was := w.client.dial(to)
				for range 20 {
					if got := w.client.dial(to); got != was || got.failed != "" {
						t.Fatalf("%s: got %+v after %+v", to, got, was)
					}
				}
				left, other := *p, b.pods(1)
				if was.endpoint == b.address("pod", 1).String() {
					other = b.pods(2)
				}
				left.Cluster = other
				for _, next := range []*plan.Port{&left, p} {
					if err := back.Apply(t.Context(), []plan.Change{{ID: p.ID, Is: next}}); err != nil {
						t.Fatal(err)
					}
				}
				for range 40 { // the endpoint that went and came is forgotten
					if got := w.client.dial(to); got.failed != "" {
						t.Fatalf("%s: %+v", to, got)
					}
				}
				left.Cluster = b.pods(1)
				bring(t, back, planOf(settings(), &left))
				if got := w.client.dial(to); got.endpoint != b.address("pod", 1).String() {
					t.Errorf("%s: after pod 2 went, got %+v", to, got)
				}
				bring(t, back, planOf(settings(), p))
			}
		})
	}
}

func TestNoConnectionFailsWhileEndpointsChange(t *testing.T) {
	w, b := newWorld(t), builder(plan.IPv4)
	back := w.backend(t)
	p := b.port("web", b.clusterIP(1, 80))
	p.Cluster = b.pods(1, 2)
	bring(t, back, planOf(settings(), p))
	stop, failed := make(chan bool), make(chan outcome, 1)
	go func() {
		defer close(failed)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if got := w.client.dial(net.JoinHostPort(b.address("vip", 1).String(), "80")); got.failed != "" {
				failed <- got
				return
			}
		}
	}()
	for i := range 300 {
		next := *p
		next.Cluster = [][]plan.Endpoint{b.pods(1), b.pods(2), b.pods(1, 2)}[i%3]
		next.Balance = []plan.Balance{plan.Random, plan.RoundRobin, plan.Maglev, plan.SourceHash}[i/20%4]
		if err := back.Apply(t.Context(), []plan.Change{{ID: p.ID, Is: &next}}); err != nil {
			t.Fatal(err)
		}
		if i%50 == 49 {
			back = w.backend(t)
			bring(t, back, planOf(settings(), &next))
		}
	}
	close(stop)
	for got := range failed {
		t.Errorf("a connection failed: %+v", got)
	}
}
