package cluster

import (
	"net"
	"sync"

	"github.com/miekg/dns"
)

// A DNS server answers for the names that a test gives it, in place of the
// cluster's.
type DNS struct {
	mu      sync.Mutex
	records map[string][]dns.RR // by lower-case name with its dot
	asked   map[string]int
	failing bool
}

// StartDNS starts the server that resolv.conf names, until the test ends. It
// knows no names yet: it answers NXDOMAIN.
func StartDNS(t T) *DNS {
	t.Helper()
	d := &DNS{records: map[string][]dns.RR{}, asked: map[string]int{}}
	conn, err := net.ListenPacket("udp", DNSAddress)
	if err != nil {
		t.Fatalf("DNS: %v", err)
	}
	listener, err := net.Listen("tcp", DNSAddress)
	if err != nil {
		t.Fatalf("DNS: %v", err)
	}
	for _, s := range []*dns.Server{{PacketConn: conn, Handler: d}, {Listener: listener, Handler: d}} {
		up := make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		go func() { _ = s.ActivateAndServe() }()
		<-up
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return d
}

// Set makes the records of a name so: lines as in a zone file, such as
// "web.example.org. 1 IN A 10.244.1.1". No lines: the name is gone.
func (d *DNS) Set(t T, name string, lines ...string) {
	t.Helper()
	var records []dns.RR
	for _, l := range lines {
		r, err := dns.NewRR(l)
		if err != nil {
			t.Fatalf("DNS: %v", err)
		}
		records = append(records, r)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records[dns.CanonicalName(name)] = records
}

// Fail makes the server answer SERVFAIL to everything, or ends that.
func (d *DNS) Fail(failing bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing = failing
}

// Asked is how often a name was asked for, of any type.
func (d *DNS) Asked(name string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[dns.CanonicalName(name)]
}

// ServeDNS answers one message.
func (d *DNS) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	if len(q.Question) == 1 {
		d.answer(m, q.Question[0])
	}
	_ = w.WriteMsg(m)
}

func (d *DNS) answer(m *dns.Msg, q dns.Question) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := dns.CanonicalName(q.Name)
	d.asked[name]++
	records := d.records[name]
	switch {
	case d.failing:
		m.Rcode = dns.RcodeServerFailure
		return
	case len(records) == 0:
		m.Rcode = dns.RcodeNameError
		return
	}
	for _, r := range records {
		if r.Header().Rrtype == q.Qtype || r.Header().Rrtype == dns.TypeCNAME {
			m.Answer = append(m.Answer, r)
		}
	}
}
