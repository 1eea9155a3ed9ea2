package store

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// What a look-up can find wrong. The texts are told to users; they don't hold
// what differs from try to try, so that they are told once.
const (
	noSuchName  = "no such name in the DNS"
	noAddresses = "the DNS has no address for the name"
	noAnswer    = "the DNS servers do not answer"
)

// lookupTimeout bounds one look-up, over all servers and the search list.
const lookupTimeout = 20 * time.Second

// A resolve asks the DNS servers of a resolv.conf.
type resolve struct {
	path    string
	servers []string
	// first is the server to begin with. It moves on from one that is silent: a
	// dead server must not cost its timeout for each suffix of the search list.
	first atomic.Uint32
}

func newDNS(o Resolver) *resolve {
	if o.Config == "" {
		o.Config = "/etc/resolv.conf"
	}
	return &resolve{path: o.Config, servers: o.Servers}
}

// lookup tries the name with the search list as libc does: a suffix that has
// the name wins, one that has not is passed over, and a failure counts only
// where nothing else is found.
func (d *resolve) lookup(ctx context.Context, name string) finding {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	conf, servers, err := d.config()
	if err != nil {
		return finding{reason: err.Error()}
	}
	result := finding{reason: noSuchName, gone: true}
	for _, full := range conf.NameList(name) {
		f := d.lookupFull(ctx, conf, servers, full)
		switch {
		case f.reason == "":
			return f
		case !f.gone:
			if result.gone {
				result = f
			}
		case f.reason == noAddresses && result.gone:
			result = f
		}
	}
	return result
}

// config reads the file anew each time: it is small, and may change under a
// process that lives long.
func (d *resolve) config() (*dns.ClientConfig, []string, error) {
	conf, err := dns.ClientConfigFromFile(d.path)
	if err != nil {
		return nil, nil, fmt.Errorf("the DNS settings cannot be read: %w", err)
	}
	// "search ." is what some tools write for no search list.
	conf.Search = slices.DeleteFunc(conf.Search, func(s string) bool { return s == "." })
	if len(d.servers) > 0 {
		return conf, d.servers, nil
	}
	var servers []string
	for _, s := range conf.Servers {
		servers = append(servers, net.JoinHostPort(s, conf.Port))
	}
	if len(servers) == 0 { // as libc
		servers = []string{net.JoinHostPort("127.0.0.1", conf.Port)}
	}
	return conf, servers, nil
}

// lookupFull asks for both families of one absolute name. One that fails is
// passed over where the other has addresses.
func (d *resolve) lookupFull(ctx context.Context, conf *dns.ClientConfig, servers []string, full string) finding {
	v6 := make(chan finding, 1)
	go func() { v6 <- d.ask(ctx, conf, servers, full, dns.TypeAAAA) }()
	a, b := d.ask(ctx, conf, servers, full, dns.TypeA), <-v6
	switch {
	case a.reason == "" && b.reason == "":
		all := append(a.addresses, b.addresses...)
		slices.SortFunc(all, netip.Addr.Compare)
		return finding{addresses: slices.Compact(all), ttl: min(a.ttl, b.ttl)}
	case a.reason == "":
		return a
	case b.reason == "":
		return b
	case !a.gone:
		return a
	case !b.gone:
		return b
	case a.reason == noAddresses:
		return a
	}
	return b
}

// ask asks one server after the other until one of them knows.
func (d *resolve) ask(ctx context.Context, conf *dns.ClientConfig, servers []string, full string, family uint16) finding {
	result := finding{reason: noAnswer}
	first := d.first.Load()
	for try := range uint32(max(conf.Attempts, 1) * len(servers)) {
		at := first + try
		answer, err := exchange(ctx, conf, servers[at%uint32(len(servers))], full, family)
		if ctx.Err() != nil {
			return result
		}
		if err != nil {
			d.first.CompareAndSwap(at, at+1)
			continue
		}
		switch answer.Rcode {
		case dns.RcodeSuccess:
			return read(answer, full, family)
		case dns.RcodeNameError:
			return finding{reason: noSuchName, gone: true}
		}
		result.reason = "the DNS servers answer " + dns.RcodeToString[answer.Rcode]
	}
	return result
}

// exchange asks by UDP, and by TCP where the answer does not fit.
func exchange(ctx context.Context, conf *dns.ClientConfig, server, full string, family uint16) (*dns.Msg, error) {
	question := new(dns.Msg).SetQuestion(full, family)
	var answer *dns.Msg
	for _, network := range []string{"udp", "tcp"} {
		client := dns.Client{
			Net:     network,
			UDPSize: 4096, // room for servers that send more than they should
			Timeout: time.Duration(max(conf.Timeout, 1)) * time.Second,
		}
		got, _, err := client.ExchangeContext(ctx, question, server)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", server, err)
		}
		if len(got.Question) != 1 || got.Question[0].Qtype != family ||
			dns.CanonicalName(got.Question[0].Name) != dns.CanonicalName(full) {
			return nil, fmt.Errorf("%s: answers another question", server)
		}
		answer = got
		if !got.Truncated {
			break
		}
	}
	return answer, nil
}

// read follows the chain of CNAMEs in an answer to its addresses. The shortest
// TTL on the way counts.
func read(answer *dns.Msg, full string, family uint16) finding {
	aliases := map[string]*dns.CNAME{}
	for _, rr := range answer.Answer {
		if c, ok := rr.(*dns.CNAME); ok {
			aliases[dns.CanonicalName(c.Hdr.Name)] = c
		}
	}
	name, f := dns.CanonicalName(full), finding{ttl: seconds(1<<31 - 1)}
	for range len(aliases) { // a chain is no longer than this, or it is a circle
		c := aliases[name]
		if c == nil {
			break
		}
		f.ttl = min(f.ttl, seconds(c.Hdr.Ttl))
		name = dns.CanonicalName(c.Target)
	}
	for _, rr := range answer.Answer {
		a, ok := address(rr)
		if ok && rr.Header().Rrtype == family && dns.CanonicalName(rr.Header().Name) == name {
			f.addresses = append(f.addresses, a)
			f.ttl = min(f.ttl, seconds(rr.Header().Ttl))
		}
	}
	if len(f.addresses) == 0 {
		return finding{reason: noAddresses, gone: true}
	}
	slices.SortFunc(f.addresses, netip.Addr.Compare)
	f.addresses = slices.Compact(f.addresses)
	return f
}

// seconds is a TTL. One with the highest bit set counts as 0 (RFC 2181, 8).
func seconds(ttl uint32) time.Duration {
	if ttl >= 1<<31 {
		return 0
	}
	return time.Duration(ttl) * time.Second
}

func address(rr dns.RR) (netip.Addr, bool) {
	var a netip.Addr
	var ok bool
	switch rr := rr.(type) {
	case *dns.A:
		a, ok = netip.AddrFromSlice(rr.A)
	case *dns.AAAA:
		a, ok = netip.AddrFromSlice(rr.AAAA)
	}
	return a.Unmap(), ok
}
