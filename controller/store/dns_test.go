package store

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// A zone is a DNS server on loopback that answers from a text.
type zone struct {
	addr    string
	handler dns.HandlerFunc

	mu    sync.Mutex
	asked []string
}

// serveZone answers with the records of a name, or with NXDOMAIN where none of
// them has it.
func serveZone(t *testing.T, records string) *zone {
	t.Helper()
	byName := map[string][]dns.RR{}
	parser := dns.NewZoneParser(strings.NewReader(records), ".", "")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		byName[rr.Header().Name] = append(byName[rr.Header().Name], rr)
	}
	must(t, parser.Err())
	return serve(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		name, known := strings.ToLower(q.Question[0].Name), false
		for range 10 {
			var alias string
			for _, rr := range byName[name] {
				known = true
				if c, ok := rr.(*dns.CNAME); ok {
					alias = c.Target
					m.Answer = append(m.Answer, rr)
				} else if rr.Header().Rrtype == q.Question[0].Qtype {
					m.Answer = append(m.Answer, rr)
				}
			}
			if alias == "" {
				break
			}
			name = alias
		}
		if !known {
			m.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(m)
	})
}

// serve answers by UDP and TCP on one port of loopback.
func serve(t *testing.T, handler dns.HandlerFunc) *zone {
	t.Helper()
	udp, tcp := onePort(t)
	z := &zone{handler: handler, addr: udp.LocalAddr().String()}
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: z}, {Listener: tcp, Handler: z}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return z
}

// onePort listens on a port that is free for UDP and TCP. One that is free for
// the one may be in use for the other.
func onePort(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	var err error
	for range 20 {
		var tcp net.Listener
		tcp, err = net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		var udp net.PacketConn
		if udp, err = net.ListenPacket("udp", tcp.Addr().String()); err == nil {
			return udp, tcp
		}
		must(t, tcp.Close())
	}
	t.Fatal(err)
	return nil, nil
}

func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	z.asked = append(z.asked, q.Question[0].Name+dns.TypeToString[q.Question[0].Qtype]+"/"+w.LocalAddr().Network())
	z.mu.Unlock()
	z.handler(w, q)
}

// count is how many questions began so.
func (z *zone) count(prefix string) (n int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, q := range z.asked {
		if strings.HasPrefix(q, prefix) {
			n++
		}
	}
	return n
}

func resolvConf(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	must(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func lookup(t *testing.T, conf, name string, servers ...string) finding {
	t.Helper()
	return newDNS(Resolver{Config: resolvConf(t, conf), Servers: servers}).lookup(t.Context(), name)
}

var byValue = cmp.Options{cmp.AllowUnexported(finding{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}

func TestLookup(t *testing.T) {
	z := serveZone(t, `
db.example.org.          30 IN A     192.0.2.2
db.example.org.          20 IN A     192.0.2.1
db.example.org.          40 IN AAAA  2001:db8::1
four.example.org.        50 IN A     192.0.2.4
six.example.org.         50 IN AAAA  2001:db8::6
text.example.org.        50 IN TXT   "no address"
alias.example.org.       10 IN CNAME middle.example.org.
middle.example.org.      60 IN CNAME db.example.org.
round.example.org.       60 IN CNAME about.example.org.
about.example.org.       60 IN CNAME round.example.org.
nowhere.example.org.     60 IN CNAME missing.example.org.
huge.example.org. 4294967295 IN A    192.0.2.5
web.ns.svc.cluster.local. 5 IN A     10.0.0.1
a.b.ns.svc.cluster.local. 5 IN A     10.0.0.2
a.b.                      5 IN A     192.0.2.9
`)
	const cluster = "search ns.svc.cluster.local svc.cluster.local cluster.local .\noptions ndots:2\n"
	v6 := "2001:db8::1"
	for _, c := range []struct {
		name, conf, ask string
		want            finding
	}{
		{"both families, the shortest TTL", "", "db.example.org", good(20, "192.0.2.1", "192.0.2.2", v6)},
		{"in capitals, absolute", "", "DB.Example.ORG.", good(20, "192.0.2.1", "192.0.2.2", v6)},
		{"one family", "", "four.example.org", good(50, "192.0.2.4")},
		{"the other family", "", "six.example.org", good(50, "2001:db8::6")},
		{"a chain", "", "alias.example.org", good(10, "192.0.2.1", "192.0.2.2", v6)},
		{"a circle", "", "round.example.org", finding{reason: noAddresses, gone: true}},
		{"a chain into nowhere", "", "nowhere.example.org", finding{reason: noAddresses, gone: true}},
		{"no address", "", "text.example.org", finding{reason: noAddresses, gone: true}},
		{"no such name", "", "missing.example.org", finding{reason: noSuchName, gone: true}},
		{"a TTL that is too large to be one", "", "huge.example.org", good(0, "192.0.2.5")},
		{"by the search list", cluster, "web", good(5, "10.0.0.1")},
		{"absolute, so not by the search list", cluster, "web.", finding{reason: noSuchName, gone: true}},
		{"fewer dots than ndots: the list first", cluster, "a.b", good(5, "10.0.0.2")},
		{"fewer dots than ndots, but absolute", cluster, "a.b.", good(5, "192.0.2.9")},
		{"as many dots as ndots: as it is first", strings.ReplaceAll(cluster, "ndots:2", "ndots:1"), "a.b", good(5, "192.0.2.9")},
		{"not in the list: as it is", cluster, "db.example.org", good(20, "192.0.2.1", "192.0.2.2", v6)},
		{"known, but without an address, in no place of the list", cluster, "text.example.org", finding{reason: noAddresses, gone: true}},
		{"a name that gets too long by the list", cluster, strings.Repeat("a23456789.", 24) + "example.org", finding{reason: noAnswer}},
	} {
		if d := cmp.Diff(c.want, lookup(t, c.conf, c.ask, z.addr), byValue); d != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, d)
		}
	}
	if n := z.count("web.ns.svc.cluster.local.A/"); n != 1 {
		t.Errorf("asked %d times for what the first place has", n)
	}
}

func TestLookupTruncated(t *testing.T) {
	z := serve(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if w.LocalAddr().Network() == "udp" {
			m.Truncated = true
		} else if q.Question[0].Qtype == dns.TypeA {
			for i := range 200 {
				m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 7}, A: net.IPv4(192, 0, 2, byte(i))})
			}
		}
		_ = w.WriteMsg(m)
	})
	if f := lookup(t, "", "big.example.org", z.addr); len(f.addresses) != 200 || f.ttl != 7*time.Second {
		t.Errorf("%d addresses, TTL %v, %q", len(f.addresses), f.ttl, f.reason)
	}
}

func refuse(code int) dns.HandlerFunc {
	return func(w dns.ResponseWriter, q *dns.Msg) {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, code))
	}
}

func TestLookupFailuresAreNoAnswers(t *testing.T) {
	fails := serve(t, refuse(dns.RcodeServerFailure))
	want := finding{reason: "the DNS servers answer SERVFAIL"}
	if d := cmp.Diff(want, lookup(t, "search a.example b.example\n", "db", fails.addr), byValue); d != "" {
		t.Errorf("a server that fails: %s", d)
	}
	works := serveZone(t, "db. 9 IN A 192.0.2.1")
	if d := cmp.Diff(good(9, "192.0.2.1"), lookup(t, "", "db", fails.addr, works.addr), byValue); d != "" {
		t.Errorf("the next server is not asked: %s", d)
	}
	partly := serve(t, func(w dns.ResponseWriter, q *dns.Msg) {
		if q.Question[0].Qtype == dns.TypeAAAA {
			refuse(dns.RcodeServerFailure)(w, q)
			return
		}
		works.handler(w, q)
	})
	if d := cmp.Diff(good(9, "192.0.2.1"), lookup(t, "", "db", partly.addr), byValue); d != "" {
		t.Errorf("a server that fails for one family: %s", d)
	}
	other := serve(t, func(w dns.ResponseWriter, q *dns.Msg) { // a spoofer, or a cache gone wrong
		m := new(dns.Msg).SetReply(q)
		m.Question[0].Name = "evil.example.org."
		_ = w.WriteMsg(m)
	})
	if f := lookup(t, "", "db", other.addr); f.gone || f.reason == "" {
		t.Errorf("an answer to another question counts: %+v", f)
	}
}

// A server that is away must not cost its timeout again and again.
func TestLookupPassesOverADeadServer(t *testing.T) {
	closed, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	dead := closed.LocalAddr().String()
	must(t, closed.Close())
	works := serveZone(t, "db.example.org. 9 IN A 192.0.2.1")
	d := newDNS(Resolver{Config: resolvConf(t, "search a.example b.example\noptions ndots:5\n"), Servers: []string{dead, works.addr}})
	for range 3 {
		if diff := cmp.Diff(good(9, "192.0.2.1"), d.lookup(t.Context(), "db.example.org"), byValue); diff != "" {
			t.Error(diff)
		}
	}
	if at := d.first.Load(); at != 1 {
		t.Errorf("look-ups begin with server %d", at)
	}
}

func TestLookupWithoutSettings(t *testing.T) {
	f := newDNS(Resolver{Config: "/does/not/exist"}).lookup(t.Context(), "db")
	if f.gone || !strings.Contains(f.reason, "the DNS settings cannot be read") {
		t.Errorf("%+v", f)
	}
	_, servers, err := newDNS(Resolver{Config: resolvConf(t, "nameserver 192.0.2.53\nnameserver 2001:db8::53\n")}).config()
	if d := cmp.Diff([]string{"192.0.2.53:53", "[2001:db8::53]:53"}, servers); d != "" || err != nil {
		t.Error(d, err)
	}
	_, servers, _ = newDNS(Resolver{Config: resolvConf(t, "")}).config()
	if d := cmp.Diff([]string{"127.0.0.1:53"}, servers); d != "" {
		t.Error(d)
	}
}
