package iptables

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// pods listen at each of their addresses, and tell whoever connects which
// address it reached and from where it came.
func (s *scene) pods() {
	for a, ns := range map[string]netns.NsHandle{onePod: s.pod, onePod6: s.pod, otherPod: s.other, otherPod6: s.other} {
		s.in(ns, func() {
			l, err := net.Listen("tcp", net.JoinHostPort(a, "8080"))
			s.must(err)
			s.t.Cleanup(func() { l.Close() })
			go answer(l)
			u, err := net.ListenPacket("udp", net.JoinHostPort(a, "8080"))
			s.must(err)
			s.t.Cleanup(func() { u.Close() })
			go answerUDP(u)
		})
	}
}

func answer(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		fmt.Fprintf(c, "%s %s", host(c.LocalAddr()), host(c.RemoteAddr()))
		c.Close()
	}
}

func answerUDP(c net.PacketConn) {
	buf := make([]byte, 64)
	for {
		_, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		if _, err := c.WriteTo([]byte(host(c.LocalAddr())+" "+host(from)), from); err != nil {
			return
		}
	}
}

func host(a net.Addr) string { return netip.MustParseAddrPort(a.String()).Addr().String() }

// Nobody answers what is dropped, and so it has to be waited for in vain: for a
// moment where that is what should happen, else for as long as a busy machine
// may take.
const moment, long = 300 * time.Millisecond, 10 * time.Second

// ask connects once from a namespace. The answer is "pod source", "refused" or
// "dropped".
func (s *scene) ask(from netns.NsHandle, network, to string, patience time.Duration) string {
	s.t.Helper()
	var got string
	s.in(from, func() { got = ask(network, to, patience) })
	return got
}

func ask(network, to string, patience time.Duration) string {
	got, err := exchange(network, to, patience)
	var slow net.Error
	switch {
	// Of a packet that never leaves, the sender is told at once, with EPERM.
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EPERM):
		return "refused"
	case errors.As(err, &slow) && slow.Timeout():
		return "dropped"
	case err != nil:
		return err.Error()
	}
	return got
}

func exchange(network, to string, patience time.Duration) (string, error) {
	until := time.Now().Add(patience)
	c, err := (&net.Dialer{Deadline: until}).Dial(network, to)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if one, is := c.(*net.TCPConn); is {
		// A reset leaves no connection that waits, whose port a later one could
		// be masqueraded to.
		if err := one.SetLinger(0); err != nil {
			return "", err
		}
	}
	if err := c.SetDeadline(until); err != nil {
		return "", err
	}
	if network == "udp" {
		if _, err := c.Write([]byte("hello")); err != nil {
			return "", err
		}
	}
	return read(c)
}

func read(c net.Conn) (string, error) {
	if c.RemoteAddr().Network() == "tcp" {
		all, err := io.ReadAll(c)
		return string(all), err
	}
	buf := make([]byte, 64)
	n, err := c.Read(buf)
	return string(buf[:n]), err
}

// Who asks what, and gets which answer.
func TestTraffic(t *testing.T) {
	for _, flavour := range []string{flavourLegacy, flavourNft} {
		t.Run(flavour, func(t *testing.T) {
			s := newScene(t)
			s.pods()
			one, other := "L"+onePod+":8080", otherPod+":8080"
			away := otherPod + ":8080"
			one6 := "L[" + onePod6 + "]:8080"
			p := planOf(settings(),
				with(service("web", "10.96.0.10", 80, plan.TCP, one), nodePort(30080), loadBalancer("203.0.113.1", 80)),
				with(service("keep", "10.96.0.11", 80, plan.TCP, one), local(nodePort(30081)), local(external("203.0.113.2", 80))),
				with(service("away", "10.96.0.12", 80, plan.TCP, away), local(nodePort(30082))),
				with(service("empty", "10.96.0.13", 80, plan.TCP), nodePort(30083), loadBalancer("203.0.113.3", 80)),
				with(service("some", "10.96.0.14", 80, plan.TCP, one), loadBalancer("203.0.113.4", 80, "192.0.2.0/28")),
				with(service("few", "10.96.0.15", 80, plan.TCP, one), loadBalancer("203.0.113.5", 80, "198.51.100.0/24")),
				with(service("none", "10.96.0.16", 80, plan.TCP), loadBalancer("203.0.113.6", 80, "198.51.100.0/24")),
				with(service("dns", "10.96.0.17", 53, plan.UDP, other), nodePort(30053)),
				with(service("six", "fd00:96::10", 80, plan.TCP, one6), nodePort(30080)),
				with(service("six-empty", "fd00:96::11", 80, plan.TCP), nodePort(30083)),
			)
			syncTo(t, backend(t, flavour), p)
			const gate, gate6, far, client6 = "10.244.1.1", "fd00:244:1::1", "10.244.2.1", "2001:db8::7"
			for _, c := range []struct {
				from    netns.NsHandle
				who     string
				network string
				to      string
				want    string
			}{
				{s.client, "client", "tcp", "10.96.0.10:80", onePod + " " + gate},
				{s.client, "client", "tcp", nodeAddress + ":30080", onePod + " " + gate},
				{s.client, "client", "tcp", gate + ":30080", onePod + " " + gate},
				{s.client, "client", "tcp", "203.0.113.1:80", onePod + " " + gate},
				{s.node, "node", "tcp", "10.96.0.10:80", onePod + " " + gate},
				{s.node, "node", "tcp", nodeAddress + ":30080", onePod + " " + gate},
				{s.node, "node", "tcp", "127.0.0.1:30080", "refused"},
				{s.pod, "pod", "tcp", "10.96.0.10:80", onePod + " " + gate}, // a hairpin
				{s.pod, "pod", "udp", "10.96.0.17:53", otherPod + " " + onePod},
				{s.client, "client", "tcp", "203.0.113.2:80", onePod + " " + clientAddress},
				{s.client, "client", "tcp", nodeAddress + ":30081", onePod + " " + clientAddress},
				{s.node, "node", "tcp", nodeAddress + ":30081", onePod + " " + gate},
				{s.client, "client", "tcp", nodeAddress + ":30082", "dropped"},
				{s.client, "client", "tcp", "10.96.0.13:80", "refused"},
				{s.client, "client", "tcp", "203.0.113.3:80", "refused"},
				{s.client, "client", "tcp", nodeAddress + ":30083", "refused"},
				{s.client, "client", "tcp", "10.96.0.10:81", "refused"},
				{s.client, "client", "udp", "10.96.0.10:80", "refused"},
				{s.node, "node", "tcp", "10.96.0.10:81", "refused"},
				{s.node, "node", "udp", "10.96.0.10:81", "refused"},
				{s.node, "node", "tcp", "203.0.113.3:80", "refused"},
				{s.node, "node", "tcp", nodeAddress + ":30083", "refused"},
				{s.pod, "pod", "tcp", "10.96.0.13:80", "refused"},
				{s.client, "client", "tcp", "203.0.113.4:80", onePod + " " + gate},
				{s.client, "client", "tcp", "203.0.113.5:80", "dropped"},
				{s.node, "node", "tcp", "203.0.113.5:80", "dropped"},
				{s.client, "client", "tcp", "203.0.113.6:80", "dropped"},
				{s.client, "client", "udp", "10.96.0.17:53", otherPod + " " + far},
				{s.client, "client", "udp", nodeAddress + ":30053", otherPod + " " + far},
				{s.client, "client", "tcp", "[fd00:96::10]:80", onePod6 + " " + gate6},
				{s.client, "client", "tcp", "[2001:db8::1]:30080", onePod6 + " " + gate6},
				{s.client, "client", "tcp", "[fd00:96::10]:81", "refused"},
				{s.client, "client", "udp", "[fd00:96::10]:81", "refused"},
				{s.client, "client", "tcp", "[2001:db8::1]:30083", "refused"},
				{s.node, "node", "tcp", "[fd00:96::11]:80", "refused"},
				{s.client, "client", "tcp", "[" + onePod6 + "]:8080", onePod6 + " " + client6},
			} {
				patience := long
				if c.want == "dropped" {
					patience = moment
				}
				if got := s.ask(c.from, c.network, c.to, patience); got != c.want {
					t.Errorf("%s to %s %s: %s, wants %s", c.who, c.network, c.to, got, c.want)
				}
			}
		})
	}
}

// A client stays with its endpoint, over changes and a restart, until that is
// gone.
func TestAffinity(t *testing.T) {
	for _, flavour := range []string{flavourLegacy, flavourNft} {
		t.Run(flavour, func(t *testing.T) {
			s := newScene(t)
			s.pods()
			port := func(names ...string) *plan.Port {
				return sticky(service("web", "10.96.0.10", 80, plan.TCP, names...), time.Hour)
			}
			one, other := "L"+onePod+":8080", otherPod+":8080"
			both := port(one, other)
			b := backend(t, flavour)
			syncTo(t, b, planOf(settings(), both))
			first := s.ask(s.client, "tcp", "10.96.0.10:80", long)
			stays := func(when string) {
				t.Helper()
				for range 10 {
					if got := s.ask(s.client, "tcp", "10.96.0.10:80", long); got != first {
						t.Errorf("%s: %s, wants %s", when, got, first)
					}
				}
			}
			stays("at once")
			b = backend(t, flavour)
			syncTo(t, b, planOf(settings(), both))
			stays("after a restart")
			three := port(one, other, "10.244.2.99:8080")
			apply(t, b, plan.Change{ID: both.ID, Was: both, Is: three})
			stays("with one more endpoint")
			had, left := one, other
			if strings.HasPrefix(first, otherPod) {
				had, left = other, one
			}
			gone := port(left)
			apply(t, b, plan.Change{ID: both.ID, Was: three, Is: gone})
			if got := s.ask(s.client, "tcp", "10.96.0.10:80", long); got == first {
				t.Errorf("without its endpoint %s the client gets it still", had)
			}
			apply(t, b, plan.Change{ID: both.ID, Was: gone, Is: both})
			first = s.ask(s.client, "tcp", "10.96.0.10:80", long)
			if !strings.HasPrefix(first, strings.TrimSuffix(strings.TrimPrefix(left, "L"), ":8080")) {
				t.Errorf("the endpoint that was gone is remembered: %s", first)
			}
		})
	}
}

// Each balance gives every endpoint its share, and those that go by the address
// give one client one endpoint.
func TestBalances(t *testing.T) {
	for _, flavour := range []string{flavourLegacy, flavourNft} {
		t.Run(flavour, func(t *testing.T) {
			s := newScene(t)
			s.pods()
			one, other := "L"+onePod+":8080", otherPod+":8080"
			make := func(i int, b plan.Balance, weights ...uint16) *plan.Port {
				return balanced(service(fmt.Sprint("s", i), fmt.Sprint("10.96.0.", i), 80, plan.TCP, one, other), b, weights...)
			}
			b := backend(t, flavour)
			syncTo(t, b, planOf(settings(), make(0, plan.ModeDefault), make(1, plan.Random, 9, 1), make(2, plan.RoundRobin),
				make(3, plan.SourceHash), make(4, plan.Maglev)))
			const tries = 60
			// Of so many at random it is less than one time in a million that
			// fewer than the least or more than the most go to the first.
			for i, share := range []struct{ least, most int }{{11, 49}, {40, 60}, {tries / 2, tries / 2}, {0, tries}, {0, tries}} {
				first := 0
				for range tries {
					if strings.HasPrefix(s.ask(s.client, "tcp", fmt.Sprintf("10.96.0.%d:80", i), long), onePod) {
						first++
					}
				}
				if first < share.least || first > share.most || i > 2 && first != 0 && first != tries {
					t.Errorf("service %d: %d of %d went to the first endpoint", i, first, tries)
				}
			}
			got, err := b.Connections(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			for id, n := range got {
				if n != tries {
					t.Errorf("%s had %d connections, and %d were counted", id, tries, n)
				}
			}
			if len(got) != 5 {
				t.Errorf("%d ports are counted", len(got))
			}
		})
	}
}

// While endpoints come and go and processes begin anew, no connection fails.
func TestNoConnectionFails(t *testing.T) {
	for _, flavour := range []string{flavourLegacy, flavourNft} {
		t.Run(flavour, func(t *testing.T) {
			s := newScene(t)
			s.pods()
			one, other := "L"+onePod+":8080", otherPod+":8080"
			states := []*plan.Port{
				with(service("web", "10.96.0.10", 80, plan.TCP, one), nodePort(30080)),
				with(service("web", "10.96.0.10", 80, plan.TCP, one, other), nodePort(30080)),
				with(service("web", "10.96.0.10", 80, plan.TCP, "L"+other), local(nodePort(30080))),
			}
			b := backend(t, flavour)
			syncTo(t, b, planOf(settings(), states[0]))
			stop, failures := make(chan struct{}), make(chan string, 1)
			go s.keepAsking(stop, failures)
			was := states[0]
			for i := range 40 {
				is := states[(i+1)%len(states)]
				if i%10 == 9 {
					b = backend(t, flavour)
					syncTo(t, b, planOf(settings(), is))
				} else {
					apply(t, b, plan.Change{ID: is.ID, Was: was, Is: is})
				}
				was = is
			}
			close(stop)
			if failed := <-failures; failed != "" {
				t.Error(failed)
			}
		})
	}
}

// keepAsking connects from the client until it is stopped, and tells what
// failed, or "".
func (s *scene) keepAsking(stop <-chan struct{}, failures chan<- string) {
	// The thread is not unlocked, and so ends with this.
	runtime.LockOSThread()
	if err := netns.Set(s.client); err != nil {
		failures <- err.Error()
		return
	}
	failed := ""
	for tries := 0; ; tries++ {
		select {
		case <-stop:
			if tries == 0 {
				failed = "nobody asked"
			}
			failures <- failed + resent()
			return
		default:
		}
		for _, to := range []string{"10.96.0.10:80", nodeAddress + ":30080"} {
			if got := ask("tcp", to, long); !strings.HasPrefix(got, "10.244.") {
				failed += fmt.Sprintf("try %d of %s: %s\n", tries, to, got)
			}
		}
	}
}

// resent tells of connections that came to be only because their first packet
// was sent once more, or is "".
func resent() string {
	text, err := os.ReadFile("/proc/thread-self/net/netstat")
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(text), "\n")
	for i, name := range strings.Fields(lines[0]) {
		if n := strings.Fields(lines[1])[i]; name == "TCPSynRetrans" && n != "0" {
			return n + " first packets were sent again"
		}
	}
	return ""
}
