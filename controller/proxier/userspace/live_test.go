package userspace

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// converse opens a connection and gives a function that says something by it
// and wants to hear it.
func converse(t *testing.T, p *place, to string) (say func(string) error, hang func()) {
	t.Helper()
	var c net.Conn
	var err error
	open := func() {
		n := net.Dialer{Timeout: patience}
		c, err = n.DialContext(t.Context(), "tcp", to)
	}
	if p == nil {
		open()
	} else {
		p.do(open)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	buf := make([]byte, 1000)
	hear := func() (string, error) {
		_ = c.SetDeadline(time.Now().Add(patience))
		n, err := c.Read(buf)
		return string(buf[:n]), err
	}
	if _, err := hear(); err != nil {
		t.Fatal(err)
	}
	return func(s string) error {
		if _, err := io.WriteString(c, s); err != nil {
			return err
		}
		got, err := hear()
		if err == nil && got != s {
			err = fmt.Errorf("heard %q, said %q", got, s)
		}
		return err
	}, func() { c.Close() }
}

// A connection outlives its endpoint's place in the plan, its port, and a
// replacement of the table; from wherever it came.
func TestConnectionsLiveOn(t *testing.T) {
	l := newLab(t)
	l.pods[0].serve(t, 8080)
	l.pods[1].serve(t, 8080)
	one, other := at("10.1.0.2:8080", true), at("10.1.1.2:8080", true)
	fronts := []plan.Frontend{clusterIP("10.96.0.1:80"), frontend(plan.NodePort, "0.0.0.0:30080")}
	web := port("web", plan.TCP, plan.IPv4, fronts, one)
	l.ports[web.ID] = web
	l.sync(t)
	says := map[string]func(string) error{}
	for name, from := range map[string]*place{"client": l.client, "pod": l.pods[1], "bridged": l.pods[2], "node": nil} {
		for _, to := range []string{"10.96.0.1:80", "192.0.2.1:30080"} {
			says[name+" to "+to], _ = converse(t, from, to)
		}
	}
	check := func(after string) {
		t.Helper()
		for name, say := range says {
			if err := say("still here"); err != nil {
				t.Errorf("after %s: %s: %v", after, name, err)
			}
		}
	}
	check("nothing")
	l.sync(t)
	check("a Sync")
	apply := func(was, is *plan.Port) {
		t.Helper()
		if err := l.backend.Apply(t.Context(), []plan.Change{{ID: web.ID, Was: was, Is: is}}); err != nil {
			t.Fatal(err)
		}
	}
	moved := port("web", plan.TCP, plan.IPv4, fronts, other)
	apply(web, moved)
	check("the endpoint went")
	if got := ask(l.client, plan.TCP, "10.96.0.1:80"); !strings.HasPrefix(got, "pod1 ") {
		t.Errorf("a new connection: %q", got)
	}
	empty := port("web", plan.TCP, plan.IPv4, fronts)
	apply(moved, empty)
	check("all endpoints went")
	if got := ask(l.client, plan.TCP, "10.96.0.1:80"); got != "refused" {
		t.Errorf("a new connection without endpoints: %q", got)
	}
	apply(empty, nil)
	check("the port went")
	delete(l.ports, web.ID)
	l.sync(t)
	check("a Sync without the port")
}

func TestCloseRefuses(t *testing.T) {
	l := newLab(t)
	l.pods[0].serve(t, 8080)
	for _, proto := range []plan.Protocol{plan.TCP, plan.UDP} {
		p := port("web", proto, plan.IPv4, []plan.Frontend{clusterIP("10.96.0.1:80")}, at("10.1.0.2:8080", true))
		l.ports[p.ID] = p
	}
	l.sync(t)
	if got := ask(l.client, plan.UDP, "10.96.0.1:80"); !strings.HasPrefix(got, "pod0") {
		t.Fatalf("UDP: %q", got)
	}
	say, _ := converse(t, l.client, "10.96.0.1:80")
	if err := l.backend.Close(); err != nil {
		t.Fatal(err)
	}
	if err := say("hello"); err == nil {
		t.Error("a connection goes on without the proxy")
	}
	for _, from := range []*place{l.client, l.pods[1], nil} {
		for _, proto := range []plan.Protocol{plan.TCP, plan.UDP} {
			want := "refused"
			if from == nil && proto == plan.UDP {
				want = "dropped" // the kernel sends the node no ICMP error from an address that isn't its own
			}
			if got := ask(from, proto, "10.96.0.1:80"); got != want {
				t.Errorf("%s without the proxy: %q, want %s", proto, got, want)
			}
		}
	}
	// The next process takes the rules over.
	var err error
	if l.backend, err = New(Options{}); err != nil {
		t.Fatal(err)
	}
	l.sync(t)
	for _, proto := range []plan.Protocol{plan.TCP, plan.UDP} {
		if got := ask(l.client, proto, "10.96.0.1:80"); !strings.HasPrefix(got, "pod0") {
			t.Errorf("%s by the next process: %q", proto, got)
		}
	}
}

// dialUDP opens a socket in a place, and gives a function that sends by it and
// waits for an answer.
func chat(t *testing.T, p *place, to string) func() string {
	t.Helper()
	var c net.Conn
	var err error
	p.do(func() { c, err = net.Dial("udp", to) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	buf := make([]byte, 100)
	return func() string {
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Write([]byte("?")); err != nil {
			return outcome(err)
		}
		n, err := c.Read(buf)
		if err != nil {
			return outcome(err)
		}
		return strings.Fields(string(buf[:n]))[0]
	}
}

func TestFlowsFollowThePlan(t *testing.T) {
	l := newLab(t)
	for _, p := range l.pods {
		p.serve(t, 8080)
	}
	one, other := at("10.1.0.2:8080", true), at("10.1.1.2:8080", true)
	fronts := []plan.Frontend{clusterIP("10.96.0.1:53")}
	was := port("dns", plan.UDP, plan.IPv4, fronts, one)
	l.ports[was.ID] = was
	l.sync(t)
	said := chat(t, l.client, "10.96.0.1:53")
	bridged := chat(t, l.pods[2], "10.96.0.1:53")
	both := func(want, when string) {
		t.Helper()
		for name, f := range map[string]func() string{"client": said, "bridged": bridged} {
			for range 2 {
				if got := f(); got != want {
					t.Errorf("%s: %s: %q, want %q", when, name, got, want)
				}
			}
		}
	}
	apply := func(is *plan.Port) {
		t.Helper()
		if err := l.backend.Apply(t.Context(), []plan.Change{{ID: was.ID, Was: was, Is: is}}); err != nil {
			t.Fatal(err)
		}
		was = is
	}
	both("pod0", "at first")
	if n := l.backend.ports.get(was.ID).taken.Load(); n != 2 {
		t.Errorf("%d flows were counted, want 2", n)
	}
	apply(port("dns", plan.UDP, plan.IPv4, fronts, one, other))
	both("pod0", "with one more endpoint")
	apply(port("dns", plan.UDP, plan.IPv4, fronts, other))
	both("pod1", "when the endpoint went")
	apply(port("dns", plan.UDP, plan.IPv4, fronts))
	if got := said(); got != "refused" {
		t.Errorf("without endpoints: %q", got)
	}
	if n := len(l.backend.udp.flows); n != 0 {
		t.Errorf("%d flows are left", n)
	}
	apply(port("dns", plan.UDP, plan.IPv4, fronts, one))
	both("pod0", "with an endpoint again")
}

func TestFlowsAreBounded(t *testing.T) {
	l := newLab(t)
	l.pods[0].serve(t, 8080)
	l.backend.udp.most = 2
	p := port("dns", plan.UDP, plan.IPv4, []plan.Frontend{clusterIP("10.96.0.1:53")}, at("10.1.0.2:8080", true))
	l.ports[p.ID] = p
	l.sync(t)
	for i, want := range []string{"pod0", "pod0"} {
		if got := chat(t, l.client, "10.96.0.1:53")(); got != want {
			t.Errorf("flow %d: %q, want %q", i, got, want)
		}
	}
	if got := chat(t, l.client, "10.96.0.1:53")(); got != "dropped" {
		t.Errorf("one flow too many: %q", got)
	}
	if got := l.backend.RefusedFlows(); got != 1 {
		t.Errorf("%d were counted as refused, want 1", got)
	}
}

// An endpoint that isn't there at all takes a second, and the client is served
// by the next one, and stays with it.
func TestNextEndpoint(t *testing.T) {
	l := newLab(t)
	l.pods[0].serve(t, 8080)
	silent := at("10.1.0.99:8080", true) // nobody answers ARP
	p := port("web", plan.TCP, plan.IPv4, []plan.Frontend{clusterIP("10.96.0.1:80")}, at("10.1.0.2:8080", true), silent)
	p.Balance = plan.RoundRobin
	p.Affinity = time.Hour
	l.ports[p.ID] = p
	l.sync(t)
	for i := range 3 {
		if got := ask(l.client, plan.TCP, "10.96.0.1:80"); !strings.HasPrefix(got, "pod0") {
			t.Errorf("connection %d: %q", i, got)
		}
	}
	nobody := port("web", plan.TCP, plan.IPv4, p.Frontends, at("10.1.0.2:9", true), at("10.1.1.2:9", true))
	if err := l.backend.Apply(t.Context(), []plan.Change{{ID: p.ID, Was: p, Is: nobody}}); err != nil {
		t.Fatal(err)
	}
	if got := ask(l.client, plan.TCP, "10.96.0.1:80"); got != "reset" {
		t.Errorf("no endpoint answers: %q, want a reset", got)
	}
}
