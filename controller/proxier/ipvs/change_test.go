package ipvs

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

const first, second = "10.244.1.10:8080", "10.244.1.11:8080"

func (n *node) connect(to string) net.Conn {
	n.t.Helper()
	c, _, err := n.open("client", "tcp", to)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Close() })
	return c
}

// changesTo are the changes from one plan to another.
func changesTo(was, is *plan.Plan) []plan.Change {
	var all []plan.Change
	for id, p := range is.Ports {
		all = append(all, plan.Change{ID: id, Was: was.Ports[id], Is: p})
	}
	for id, p := range was.Ports {
		if is.Ports[id] == nil {
			all = append(all, plan.Change{ID: id, Was: p})
		}
	}
	return all
}

// waitFor asks until something is true: ipvs itself takes its time.
func (d *daemon) waitFor(what string, is func() bool) {
	d.t.Helper()
	for !is() {
		if d.t.Context().Err() != nil {
			d.t.Fatal(what)
		}
		d.intact()
	}
}

func (n *node) servers() string { return n.sh("node", "cat /proc/net/ip_vs") }

// An endpoint goes and comes back: its connections live on, new ones go to the
// other, and it is forgotten when it has none.
func TestKernelGracefulRemoval(t *testing.T) {
	n := newNode(t)
	n.serve("p1", 8080)
	n.serve("p2", 8080)
	d := n.start(Options{})
	one, two, none := planOf(web(plan.IPv4, first)), planOf(web(plan.IPv4, second)), planOf(web(plan.IPv4))
	d.sync(one)
	c := n.connect("10.96.0.10:80")
	d.apply(changesTo(one, two)...)
	n.expect("client", "10.96.0.10:80", "p2 10.244.1.1")
	n.says(c, "still here")
	d.apply(changesTo(two, none)...)
	for _, from := range []string{"client", "p2", "node"} {
		n.expect(from, "10.96.0.10:80", "refused")
	}
	n.says(c, "still here without any endpoint")
	d.intact()
	n.says(c, "still here after a look")

	// A restart knows what drains.
	d.Close()
	d = n.start(Options{})
	d.sync(none)
	n.says(c, "still here after a restart")
	d.apply(changesTo(none, one)...)
	n.expect("client", "10.96.0.10:80", "p1 10.244.1.1")
	n.says(c, "still here after a return")

	d.apply(changesTo(one, two)...)
	reset(c)
	d.waitFor("it is forgotten", func() bool {
		reals, err := d.kernel.table.reals(server{netip.MustParseAddr("10.96.0.10"), 80, plan.TCP})
		return err != nil || len(reals) == 1
	})
	n.expect("client", "10.96.0.10:80", "p2 10.244.1.1")
	d.apply(changesTo(two, planOf())...)
	if servers := n.servers(); strings.Contains(servers, "TCP") || strings.Contains(servers, "UDP") {
		t.Errorf("virtual servers are left:\n%s", servers)
	}
}

// A counting table notes what is done.
type counting struct {
	table
	calls []call
}

func (c *counting) do(calls []call) ([]error, error) {
	c.calls = append(c.calls, calls...)
	return c.table.do(calls)
}

// A second process changes nothing where all is right.
func TestKernelRestart(t *testing.T) {
	n := newNode(t)
	n.serve("p1", 8080)
	d := n.start(Options{})
	p := planOf(web(plan.IPv4, first, second), web(plan.IPv6, "[fd00:244:1::10]:8080"), special())
	d.sync(p)
	before := n.state()
	d.Close()

	d = n.start(Options{})
	calls := &counting{table: d.kernel.table}
	d.kernel.table = calls
	var programs []string
	d.kernel.run = noting(d.kernel.run, &programs)
	d.sync(p)
	if len(calls.calls) > 0 {
		t.Errorf("a second Sync does %v", calls.calls)
	}
	for _, text := range programs {
		if strings.Contains(text, "add sallyport") || strings.Contains(text, "del sallyport") {
			t.Errorf("a second Sync changes members:\n%s", text)
		}
	}
	if diff := cmp.Diff(before, n.state()); diff != "" {
		t.Errorf("state (-before +after):\n%s", diff)
	}
}

// A foreign address, set, rule, device and virtual server, near to ours.
const foreign = `
	ip link add other type dummy; ip link set other up; ip a a 10.96.7.7/32 dev other
	ipset create sallyport-mine hash:ip; ipset add sallyport-mine 10.96.0.10
	iptables-legacy -t nat -N SALLYPORT-MINE; iptables-legacy -t nat -A PREROUTING -d 10.1.2.3 -j SALLYPORT-MINE
	iptables-legacy -A INPUT -s 10.9.9.9 -j DROP`

// state is all that matters of the node, sorted where the kernel doesn't.
func (n *node) state() string {
	return n.sh("node", `
		ip -o -4 address show; ip -o -6 address show scope global
		ip link | grep -o '^[0-9]*: [a-z0-9@-]*'; ipset save | sed 's/ initval.*//' | sort
		for i in iptables-legacy-save ip6tables-legacy-save; do $i | sed -e '/^#/d' -e 's/\[.*//'; done
		tail -n +4 /proc/net/ip_vs | sed -e 's/ [0-9]* *[0-9]* *$//'`)
}

func TestKernelCleanup(t *testing.T) {
	n := newNode(t)
	// Tables and counters of the kernel are made when somebody looks.
	n.sh("node", "for t in nat mangle filter; do iptables-legacy -t $t -S; ip6tables-legacy -t $t -S; done; sysctl -qw net.ipv4.vs.conntrack=1"+foreign)
	theirs := server{netip.MustParseAddr("10.96.7.7"), 80, plan.TCP}
	d := n.start(Options{})
	failed, err := d.handle.do([]call{{operation: addServer, server: theirs, schedule: schedule{Name: "rr"}}})
	if err := errors.Join(append(failed, err)...); err != nil {
		t.Fatal(err)
	}
	before := n.state()
	d.sync(planOf(web(plan.IPv4, first), web(plan.IPv6, "[fd00:244:1::10]:8080"), special()))
	d.sync(planOf(web(plan.IPv4, second)))
	n.cleanup()
	if diff := cmp.Diff(before, n.state()); diff != "" {
		t.Errorf("state (-before +after):\n%s", diff)
	}
	n.cleanup()
}

// Whatever somebody deletes, Intact sees it and Sync puts it right.
func TestKernelIntact(t *testing.T) {
	n := newNode(t)
	n.serve("p1", 8080)
	d := n.start(Options{})
	p := planOf(web(plan.IPv4, first))
	d.sync(p)
	if !d.intact() {
		t.Fatal("not intact after Sync")
	}
	before := n.state()
	for _, wipe := range []string{
		"ip link del sallyport-ipvs",
		"ip a d 10.96.0.10/32 dev sallyport-ipvs",
		"ip a flush dev sallyport-ipvs",
		"iptables-legacy -F", "iptables-legacy -t nat -F", "iptables-legacy -t mangle -F",
		"iptables-legacy -t nat -D PREROUTING 1",
		"iptables-legacy -F SALLYPORT-IPVS-REJECT",
		"ip6tables-legacy -t nat -F",
		"ipset flush", "ipset flush sallyport-servers",
	} {
		n.sh("node", wipe)
		if d.intact() {
			t.Errorf("intact after %q", wipe)
		}
		d.sync(p)
		if !d.intact() {
			t.Errorf("not intact after %q and Sync", wipe)
		}
		n.expect("client", "10.96.0.10:80", "p1 10.244.1.1")
		n.expect("client", "10.96.0.10:81", "refused")
	}
	const flush = 17 // IPVS_CMD_FLUSH
	failed, err := d.handle.wire.send([]request{{flush, nil}})
	if err := errors.Join(append(failed, err)...); err != nil {
		t.Fatal(err)
	}
	if d.intact() {
		t.Error("intact without virtual servers")
	}
	d.sync(p)
	if diff := cmp.Diff(strings.Split(deviceNumbers(before), "\n"), strings.Split(deviceNumbers(n.state()), "\n")); diff != "" {
		t.Errorf("state (-before +after):\n%s", diff)
	}
}

// deviceNumbers drops lines that tell a device's number: a new one has another.
func deviceNumbers(state string) string {
	var kept []string
	for _, line := range strings.Split(state, "\n") {
		if !strings.Contains(line, deviceName) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// The node gets an address, and loses it.
func TestKernelNodeAddress(t *testing.T) {
	n := newNode(t)
	n.serve("p1", 8080)
	d := n.start(Options{})
	p := planOf(web(plan.IPv4, first))
	d.sync(p)
	if !d.intact() {
		t.Fatal("not intact after Sync")
	}
	n.sh("node", "ip a a 192.0.2.12/24 dev eth0")
	d.waitFor("a new address is seen", func() bool { return !d.intact() })
	d.sync(p)
	n.expect("client", "192.0.2.12:30080", "p1 10.244.1.1")
	n.sh("node", "ip a d 192.0.2.12/24 dev eth0")
	d.waitFor("a lost address is seen", func() bool { return !d.intact() })
	d.sync(p)
	if servers := n.servers(); strings.Contains(servers, "C000020C") {
		t.Errorf("a virtual server is left at an address that is gone:\n%s", servers)
	}
}

// A refusing table has a port at which it takes nothing.
type refusing struct {
	table
	port uint16
}

func (r refusing) do(calls []call) ([]error, error) {
	all := make([]error, len(calls))
	for i, c := range calls {
		all[i] = unix.ENOMEM
		if c.server.Port == r.port {
			continue
		}
		failed, err := r.table.do([]call{c})
		if err != nil {
			return nil, err
		}
		all[i] = failed[0]
	}
	return all, nil
}

func other() []*plan.Port {
	return both("other", plan.IPv4, func(p *plan.Port) {
		p.Frontends = []plan.Frontend{at(plan.ClusterIP, "10.96.0.66", 66)}
		p.Cluster = to(second)
	})
}

// The kernel refuses one port, in its table or in its sets: all others are
// served, and the refused one is not there.
func TestKernelRefusesOne(t *testing.T) {
	for name, inject := range map[string]func(*kernel){
		"virtual server": func(k *kernel) { k.table = refusing{k.table, 66} },
		"member": func(k *kernel) {
			real := k.run
			k.run = refusingLines(real, "10.96.0.66")
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			n.serve("p1", 8080)
			d := n.start(Options{})
			inject(d.kernel)
			p := planOf(web(plan.IPv4, first), other())
			err := n.in("node", func() error { return d.Sync(t.Context(), p) })
			refused, ok := errors.AsType[plan.Refused](err)
			if !ok || len(refused) != 2 {
				t.Fatalf("error %v, want two refused ports", err)
			}
			for _, o := range other() {
				if refused[o.ID] == nil {
					t.Errorf("%v is not refused", o.ID)
				}
			}
			n.expect("client", "10.96.0.10:80", "p1 10.244.1.1")
			if state := n.state(); strings.Contains(state, "10.96.0.66") {
				t.Errorf("something of the refused port is left:\n%s", state)
			}
		})
	}
}

// A change that is refused leaves the port as it was.
func TestKernelRefusesChange(t *testing.T) {
	n := newNode(t)
	n.serve("p1", 8080)
	n.serve("p2", 8080)
	d := n.start(Options{})
	was, is := planOf(web(plan.IPv4, first)), planOf(web(plan.IPv4, second), other())
	d.sync(was)
	d.kernel.table = refusing{d.kernel.table, 80}
	err := n.in("node", func() error { return d.Apply(t.Context(), changesTo(was, is)) })
	if refused, ok := errors.AsType[plan.Refused](err); !ok || len(refused) != 2 {
		t.Fatalf("error %v, want two refused ports", err)
	}
	n.expect("client", "10.96.0.10:80", "p1 10.244.1.1")
	n.expect("client", "10.96.0.66:66", "p2 10.244.1.1")
}
