package conntrack

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netns"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

var dns = []string{"10.96.0.10:53", "0.0.0.0:30053"}

// Whatever is not a stale UDP flow of a frontend stays; each stale one goes.
func TestReconcile(t *testing.T) {
	private(t)
	p := planOf(
		port(id("dns", plan.IPv4), dns, "10.244.1.10:5353"),
		port(id("empty", plan.IPv4), []string{"10.96.0.20:53", "0.0.0.0:30054"}),
		port(id("dns", plan.IPv6), []string{"[fd00::10]:53", "[::]:30053"}, "[fd00:1::10]:5353"),
	)
	tcp := port(id("dns", plan.IPv4), []string{"10.96.0.10:53", "10.96.0.40:80"}, "10.244.1.10:8080")
	tcp.ID.Protocol = plan.TCP
	p.Ports[tcp.ID] = tcp
	local := port(id("local", plan.IPv4), []string{"10.96.0.30:53"})
	local.Local = []plan.Endpoint{{Address: port(local.ID, nil, "10.244.1.10:99").Cluster[0].Address}}
	p.Ports[local.ID] = local

	const stay, leave = 1000, 9000
	insert(t, "tcp", stay+1, "10.96.0.10:53", "10.244.9.9:5353")                      // TCP outlives its endpoint
	insert(t, "udp", stay+2, "10.96.0.10:53", "10.244.1.10:5353")                     // it is served
	insert(t, "udp", stay+3, "10.96.0.10:54", "10.244.9.9:5353")                      // another port
	insert(t, "udp", stay+4, "10.96.0.11:53", "10.244.9.9:5353")                      // another address
	insert(t, "udp", stay+5, "10.96.0.40:80", "10.244.9.9:5353")                      // a frontend of TCP alone
	insert(t, "udp", stay+6, "192.0.2.11:30053", "10.244.1.10:5353")                  // it is served, at a node port
	insert(t, "udp", stay+7, "203.0.113.99:30053", "10.244.9.9:5353")                 // a node port's number, at another node
	insert(t, "udp", stay+8, "127.0.0.1:30053", "127.0.0.1:30053")                    // what the userspace part serves
	insert(t, "udp", stay+9, "10.96.0.10:53", "10.244.9.9:5353", "--zone", "7")       // somebody's zone
	insert(t, "udp", stay+10, "10.96.0.10:53", "10.244.9.9:5353", "--orig-zone", "8") // in one direction alone
	insert(t, "udp", stay+11, "10.96.0.30:53", "10.244.1.10:99")                      // by the policy Local
	insert(t, "udp", stay+12, "[fd00::10]:53", "[fd00:1::10]:5353")                   // it is served
	insert(t, "udp", stay+13, "[2001:db8:ffff::1]:30053", "[fd00:9::9]:5353")         // another node
	insert(t, "udp", stay+14, "192.0.2.11:30060", "10.244.9.9:5353")                  // another node port
	insert(t, "udp", stay+15, "10.244.1.10:5353", "10.244.1.10:5353")                 // to the endpoint itself
	insert(t, "udp", leave+1, "10.96.0.10:53", "10.244.9.9:5353")                     // the endpoint is gone
	insert(t, "udp", leave+2, "10.96.0.10:53", "10.244.1.10:5354")                    // its port has changed
	insert(t, "udp", leave+3, "10.96.0.10:53", "10.96.0.10:53")                       // it began before the Service
	insert(t, "udp", leave+4, "192.0.2.11:30053", "10.244.9.9:5353")                  // at a node port
	insert(t, "udp", leave+5, "198.51.100.11:30053", "10.244.9.9:5353")               // at the node's other address
	insert(t, "udp", leave+6, "192.0.2.11:30053", "192.0.2.11:30053")                 // began before the node port
	insert(t, "udp", leave+7, "10.96.0.20:53", "10.244.9.9:5353")                     // the last endpoint is gone
	insert(t, "udp", leave+8, "192.0.2.11:30054", "10.244.9.9:5353")                  // the same, at the node port
	insert(t, "udp", leave+9, "[fd00::10]:53", "[fd00:9::9]:5353")                    // IPv6
	insert(t, "udp", leave+10, "[2001:db8:a::11]:30053", "[fd00:9::9]:5353")          // IPv6, at a node port
	insert(t, "udp", leave+11, "10.96.0.10:53", "10.244.9.9:5353", "-m", "5", "-u", "SEEN_REPLY,ASSURED")

	deleted := map[plan.Family]int{}
	c := New(slog.New(slog.DiscardHandler), func(f plan.Family, n int, _ time.Duration) { deleted[f] += n })
	c.Reconcile(p)
	if err := c.clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []int{}
	for i := 1; i <= 15; i++ {
		want = append(want, stay+i)
	}
	if diff := cmp.Diff(want, clientPorts(t)); diff != "" {
		t.Errorf("flows that are left: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(map[plan.Family]int{plan.IPv4: 9, plan.IPv6: 2}, deleted); diff != "" {
		t.Errorf("reported: -want +got\n%s", diff)
	}
}

// A node port's flows are looked at where node ports answer, and nowhere else.
func TestNodePortAddresses(t *testing.T) {
	private(t)
	p := planOf(port(id("dns", plan.IPv4), []string{"0.0.0.0:30053"}, "10.244.1.10:5353"))
	p.Settings.NodePorts = plan.NodePorts{Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	insert(t, "udp", 1, "198.51.100.11:30053", "10.244.9.9:5353")
	insert(t, "udp", 2, "192.0.2.12:30053", "10.244.9.9:5353") // of the prefix, but not the node's
	insert(t, "udp", 3, "192.0.2.11:30053", "10.244.9.9:5353")
	c := New(slog.New(slog.DiscardHandler), nil)
	c.Reconcile(p)
	if err := c.clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 2}, clientPorts(t)); diff != "" {
		t.Errorf("flows that are left: -want +got\n%s", diff)
	}
}

// A change looks at the flows of what changed alone.
func TestChanged(t *testing.T) {
	private(t)
	was := port(id("dns", plan.IPv4), append([]string{"10.96.0.99:53"}, dns...), "10.244.1.10:5353", "10.244.1.11:5353")
	is := port(id("dns", plan.IPv4), dns, "10.244.1.11:5353")
	gone := port(id("gone", plan.IPv4), []string{"10.96.0.50:53", "0.0.0.0:30055"}, "10.244.1.10:5353")
	other := port(id("other", plan.IPv4), []string{"10.96.0.60:53"}, "10.244.1.11:5353")
	insert(t, "udp", 1, "10.96.0.10:53", "10.244.1.11:5353")
	insert(t, "udp", 2, "10.96.0.60:53", "10.244.9.9:5353") // stale, but nothing changed there
	insert(t, "udp", 3, "10.96.0.50:53", "10.96.0.50:53")   // never was translated
	insert(t, "udp", 4, "192.0.2.11:30055", "192.0.2.11:30055")
	insert(t, "udp", 5, "203.0.113.99:30055", "10.244.1.10:5353")
	insert(t, "udp", 11, "10.96.0.10:53", "10.244.1.10:5353")
	insert(t, "udp", 12, "192.0.2.11:30053", "10.244.1.10:5353")
	insert(t, "udp", 13, "10.96.0.50:53", "10.244.1.10:5353")
	insert(t, "udp", 14, "192.0.2.11:30055", "10.244.1.10:5353")
	insert(t, "udp", 15, "10.96.0.99:53", "10.244.1.11:5353") // the frontend is gone, the endpoint is not
	c := New(slog.New(slog.DiscardHandler), nil)
	c.Changed([]plan.Change{{ID: was.ID, Was: was, Is: is}, {ID: gone.ID, Was: gone}}, planOf(is, other))
	if err := c.clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4, 5}, clientPorts(t)); diff != "" {
		t.Errorf("flows that are left: -want +got\n%s", diff)
	}
}

// Work that fails is done the next time, by the plan of then.
func TestFailure(t *testing.T) {
	private(t)
	insert(t, "udp", 1, "10.96.0.10:53", "10.244.9.9:5353")
	c := New(slog.New(slog.DiscardHandler), nil)
	c.Reconcile(planOf(port(id("dns", plan.IPv4), dns)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.clean(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff([]int{1}, clientPorts(t)); diff != "" {
		t.Fatal(diff)
	}
	if err := c.clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := clientPorts(t); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
}

// What came while the table was read counts: an endpoint, a frontend that has
// moved, one that has gone.
func TestPlanChangesMeanwhile(t *testing.T) {
	private(t)
	one := port(id("dns", plan.IPv4), []string{"10.96.0.10:53", "10.96.0.11:53"}, "10.244.1.10:5353")
	two := port(one.ID, []string{"10.96.0.10:53"}, "10.244.1.10:5353", "10.244.1.11:5353")
	heir := port(id("heir", plan.IPv4), []string{"10.96.0.11:53"}, "10.244.1.12:5353")
	insert(t, "udp", 1, "10.96.0.10:53", "10.244.1.11:5353")
	insert(t, "udp", 2, "10.96.0.11:53", "10.244.1.12:5353")
	insert(t, "udp", 3, "10.96.0.11:53", "10.244.1.10:5353")
	insert(t, "udp", 4, "10.96.0.10:53", "10.244.9.9:5353")
	c := New(slog.New(slog.DiscardHandler), nil)
	todo := work{plan: planOf(one), all: true}
	c.todo.plan = todo.plan
	latest := c.latest(plan.IPv4, &todo, nil)
	asked := 0
	n, err := sweep(t.Context(), plan.IPv4, func() *index {
		if asked++; asked == 2 { // the table has been read by the first answer
			c.Changed([]plan.Change{{ID: one.ID, Was: one, Is: two}, {ID: heir.ID, Is: heir}}, planOf(two, heir))
		}
		return latest()
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 2, 3}, clientPorts(t)); diff != "" || n != 1 {
		t.Errorf("deleted %d; flows that are left: -want +got\n%s", n, diff)
	}
	if err := c.clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 2}, clientPorts(t)); diff != "" {
		t.Errorf("flows that are left after that: -want +got\n%s", diff)
	}
}

// A client that keeps its socket reaches the endpoint that has come, whether it
// began before there was one or was sent to one that is gone.
func TestClient(t *testing.T) {
	private(t)
	space, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	serve(t, "10.244.1.10:5353")
	serve(t, "10.244.1.11:5353")
	run(t, "nft", "add table ip t; add chain ip t output { type nat hook output priority -100; }; "+
		"add chain ip t postrouting { type nat hook postrouting priority 100; }; add map ip t to { type ipv4_addr : ipv4_addr; }; "+
		"add rule ip t output meta l4proto udp dnat ip to ip daddr map @to:5353")
	client, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(192, 0, 2, 11)}, &net.UDPAddr{IP: net.IPv4(10, 96, 0, 10), Port: 53})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	reports := make(chan int)
	c := New(slog.New(slog.DiscardHandler), func(f plan.Family, n int, _ time.Duration) {
		if f == plan.IPv4 {
			reports <- n
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(space); err != nil {
			done <- err
			return
		}
		c.Run(ctx)
		done <- nil
	}()
	await := func(want int) {
		t.Helper()
		select {
		case got := <-reports:
			if got != want {
				t.Fatalf("deleted %d flows, want %d", got, want)
			}
		case err := <-done:
			t.Fatal(err)
		}
	}
	ask := func() string {
		t.Helper()
		b := make([]byte, 64)
		if _, err := client.Write([]byte("?")); err != nil {
			t.Fatal(err)
		}
		n, err := client.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}

	// Nothing is behind the address: the packet comes back to nobody, and the
	// kernel remembers that it is not translated.
	if _, err := client.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	none := port(id("dns", plan.IPv4), dns)
	one := port(id("dns", plan.IPv4), dns, "10.244.1.10:5353")
	two := port(id("dns", plan.IPv4), dns, "10.244.1.11:5353")
	run(t, "nft", "add element ip t to { 10.96.0.10 : 10.244.1.10 }")
	c.Changed([]plan.Change{{ID: one.ID, Was: none, Is: one}}, planOf(one))
	await(1)
	if got := ask(); got != "10.244.1.10:5353" {
		t.Errorf("answered by %s", got)
	}
	run(t, "nft", "delete element ip t to { 10.96.0.10 }; add element ip t to { 10.96.0.10 : 10.244.1.11 }")
	if got := ask(); got != "10.244.1.10:5353" {
		t.Fatalf("the flow moved by itself, to %s: nothing is tested", got)
	}
	c.Changed([]plan.Change{{ID: one.ID, Was: one, Is: two}}, planOf(two))
	await(1)
	if got := ask(); got != "10.244.1.11:5353" {
		t.Errorf("answered by %s", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The kernel gives UDP alone of a table that is full of TCP. A kernel before
// Linux 5.8 gives all, which costs time and is no fault.
func TestDumpOfUDP(t *testing.T) {
	private(t)
	insert(t, "tcp", 1, "10.96.0.10:53", "10.244.1.10:5353")
	insert(t, "udp", 2, "10.96.0.10:53", "10.244.1.10:5353")
	insert(t, "udp", 3, "[fd00::10]:53", "[fd00:1::10]:5353")
	k := kernel{family: plan.IPv4}
	var got []uint8
	if err := k.dump(func(f flow) { got = append(got, f.protocol) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint8{uint8(plan.UDP)}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
