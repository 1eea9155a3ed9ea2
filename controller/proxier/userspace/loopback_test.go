package userspace

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// server answers at 127.0.0.1, by TCP and UDP, and gives its port.
func server(t *testing.T, name string) uint16 {
	t.Helper()
	ln, err := listenTCP(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	port := addrPort(ln.Addr()).Port()
	c, err := listenUDP(t.Context(), netip.AddrPortFrom(loopbackOf(plan.IPv4), port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close(); c.Close() })
	go answerTCP(ln, name)
	go answerUDP(c, name)
	return port
}

// free is a port that nobody has.
func free(t *testing.T) uint16 {
	t.Helper()
	ln, err := listenTCP(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return addrPort(ln.Addr()).Port()
}

func loopback(t *testing.T, retry time.Duration) *Loopback {
	t.Helper()
	l := newLoopback(slog.New(slog.DiscardHandler), retry)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func nodePortOf(name string, p plan.Protocol, number uint16, endpoints ...plan.Endpoint) *plan.Port {
	return port(name, p, plan.IPv4, []plan.Frontend{{Kind: plan.NodePort, Port: number}}, endpoints...)
}

var everywhere = plan.Settings{NodePorts: plan.NodePorts{All: true}}

func TestLoopback(t *testing.T) {
	l := loopback(t, time.Hour)
	number := free(t)
	to := fmt.Sprintf("127.0.0.1:%d", number)
	e := at(fmt.Sprintf("127.0.0.1:%d", server(t, "one")), true)
	f := at(fmt.Sprintf("127.0.0.1:%d", server(t, "two")), true)
	for _, p := range []plan.Protocol{plan.TCP, plan.UDP} {
		t.Run(p.String(), func(t *testing.T) {
			check := func(want, when string) {
				t.Helper()
				if got, _, _ := strings.Cut(dialogue(p, to, patience), " "); got != want {
					t.Errorf("%s: %q, want %q", when, got, want)
				}
			}
			web := nodePortOf("web", p, number, e)
			if err := l.Sync(t.Context(), planOf(everywhere, web)); err != nil {
				t.Fatal(err)
			}
			check("one", "at first")
			if got := l.Connections()[web.ID]; got != 1 {
				t.Errorf("%d connections were counted, want 1", got)
			}
			apply := func(is *plan.Port) {
				t.Helper()
				if err := l.Apply(t.Context(), []plan.Change{{ID: web.ID, Is: is}}); err != nil {
					t.Fatal(err)
				}
			}
			apply(nodePortOf("web", p, number, f))
			check("two", "with another endpoint")
			apply(nodePortOf("web", p, number))
			check("refused", "without endpoints")
			apply(web)
			check("one", "with one again")
			apply(nil)
			check("refused", "when the port is gone")
			apply(web)
			some := plan.Settings{NodePorts: plan.NodePorts{Prefixes: prefixes("192.0.2.0/24")}}
			if err := l.Sync(t.Context(), planOf(some, web)); err != nil {
				t.Fatal(err)
			}
			check("refused", "where loopback is none of the addresses")
			some.NodePorts.Prefixes = prefixes("127.0.0.0/8")
			if err := l.Sync(t.Context(), planOf(some, web)); err != nil {
				t.Fatal(err)
			}
			check("one", "where it is")
			if len(l.Problems()) > 0 {
				t.Errorf("problems: %v", l.Problems())
			}
		})
	}
}

// A port that another process has is a problem, until it has it no longer.
func TestLoopbackTriesAgain(t *testing.T) {
	l := loopback(t, time.Millisecond)
	ln, err := listenTCP(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	number := addrPort(ln.Addr()).Port()
	e := at(fmt.Sprintf("127.0.0.1:%d", server(t, "one")), true)
	taken, other := nodePortOf("taken", plan.TCP, number, e), nodePortOf("other", plan.TCP, free(t), e)
	if err := l.Sync(t.Context(), planOf(everywhere, taken, other)); err != nil {
		t.Fatal(err)
	}
	if p := l.Problems(); len(p) != 1 || p[taken.ID] == nil {
		t.Errorf("problems: %v, want one of %s", p, taken.ID)
	}
	ln.Close()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for len(l.Problems()) > 0 {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("it was never tried again")
		}
	}
	if got := dialogue(plan.TCP, fmt.Sprintf("127.0.0.1:%d", number), patience); !strings.HasPrefix(got, "one") {
		t.Errorf("then: %q", got)
	}
}

// pair is a connection through a Loopback, from a client to a server that the
// test plays itself.
func pair(t *testing.T) (client, server *net.TCPConn, l *Loopback, id plan.ID) {
	t.Helper()
	ln, err := listenTCP(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	l = loopback(t, time.Hour)
	number := free(t)
	p := nodePortOf("web", plan.TCP, number, at(ln.Addr().String(), true))
	if err := l.Sync(t.Context(), planOf(everywhere, p)); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", number))
	if err != nil {
		t.Fatal(err)
	}
	server, err = ln.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	client = c.(*net.TCPConn)
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server, l, p.ID
}

func TestHalfClose(t *testing.T) {
	client, server, l, id := pair(t)
	if err := l.Apply(t.Context(), []plan.Change{{ID: id}}); err != nil { // it goes on without its port
		t.Fatal(err)
	}
	if _, err := io.WriteString(client, "question"); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(server); string(got) != "question" || err != nil {
		t.Errorf("the endpoint got %q, %v", got, err)
	}
	if _, err := io.WriteString(server, "answer"); err != nil {
		t.Fatal(err)
	}
	server.Close()
	if got, err := io.ReadAll(client); string(got) != "answer" || err != nil {
		t.Errorf("the client got %q, %v", got, err)
	}
}

func TestResetsPass(t *testing.T) {
	for _, back := range []bool{false, true} {
		client, server, _, _ := pair(t)
		from, to := client, server
		if back {
			from, to = server, client
		}
		reset(from)
		if _, err := to.Read(make([]byte, 1)); err == nil || outcome(err) != "reset" || err == io.EOF {
			t.Errorf("the other side got %v, want a reset", err)
		}
	}
}

func TestCloseEndsConnections(t *testing.T) {
	client, _, l, _ := pair(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("a connection goes on")
	}
	if len(l.tcp.open) > 0 {
		t.Errorf("%d connections are left", len(l.tcp.open))
	}
}
