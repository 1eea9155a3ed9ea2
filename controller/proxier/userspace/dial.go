package userspace

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// tryFor is how long an endpoint may take to answer a dial before the next one
// is tried.
const tryFor = time.Second

// A dialer makes the sockets to endpoints.
type dialer struct {
	mark  uint32 // on all that they send, so that no rule of ours takes it; 0: none
	links *links // nil where no address is ever borrowed
}

// lent is the address under which an endpoint sees a client that is kept: its
// own, with another port where the endpoint is the very address that the client
// sent to. Two connections between the same two addresses and ports can't be.
func lent(client, to netip.AddrPort, e plan.Endpoint) netip.AddrPort {
	if e.Address == to {
		return netip.AddrPortFrom(client.Addr(), 0)
	}
	return client
}

// tcp connects to an endpoint, from the client's address where that is to be
// kept. A client address that can't be kept gives way to the node's own.
func (d *dialer) tcp(ctx context.Context, to netip.AddrPort, client netip.AddrPort, borrow bool) (*net.TCPConn, error) {
	if !borrow {
		return d.dialTCP(ctx, to, netip.AddrPort{})
	}
	between := d.links.between(client.Addr(), to.Addr())
	if !between.passes() {
		return d.dialTCP(ctx, to, netip.AddrPort{})
	}
	c, err := d.dialTCP(ctx, to, client, transparent, reuse)
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EADDRINUSE) {
		// The client has another connection from this port that came to the same
		// endpoint by another Service.
		c, err = d.dialTCP(ctx, to, netip.AddrPortFrom(client.Addr(), 0), transparent, lateport)
	}
	switch {
	case err == nil:
		between.learn(true)
	case between.unsure() && late(err):
		if c, err = d.dialTCP(ctx, to, netip.AddrPort{}); err == nil {
			between.learn(false)
		}
	}
	return c, err
}

func (d *dialer) dialTCP(ctx context.Context, to, from netip.AddrPort, options ...option) (*net.TCPConn, error) {
	f := plan.FamilyOf(to.Addr())
	n := net.Dialer{Timeout: tryFor, Control: control(f, append(options, marked(d.mark)))}
	if from.IsValid() {
		n.LocalAddr = net.TCPAddrFromAddrPort(from)
	}
	c, err := n.DialContext(ctx, network("tcp", f), to.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// late says that an answer was waited for in vain.
func late(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// udp makes a socket to an endpoint. The path is the one on which a borrowed
// address is tried; its zero value is that none is.
func (d *dialer) udp(to, client netip.AddrPort, borrow bool) (*net.UDPConn, path, error) {
	if !borrow {
		c, err := d.dialUDP(to, netip.AddrPort{})
		return c, path{}, err
	}
	between := d.links.between(client.Addr(), to.Addr())
	if !between.passes() {
		c, err := d.dialUDP(to, netip.AddrPort{})
		return c, path{}, err
	}
	c, err := d.dialUDP(to, client, transparent)
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EADDRINUSE) {
		// Without SO_REUSEADDR no two flows share a port, so that answers never
		// come to the wrong one.
		c, err = d.dialUDP(to, netip.AddrPortFrom(client.Addr(), 0), transparent)
	}
	return c, between, err
}

func (d *dialer) dialUDP(to, from netip.AddrPort, options ...option) (*net.UDPConn, error) {
	f := plan.FamilyOf(to.Addr())
	n := net.Dialer{Control: control(f, append(options, marked(d.mark)))}
	if from.IsValid() {
		n.LocalAddr = net.UDPAddrFromAddrPort(from)
	}
	c, err := n.Dial(network("udp", f), to.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}

// links remember by which link of the node a client and an endpoint can see each
// other. An endpoint on the client's own link may answer it directly, past the
// node, and then the client's address can't be borrowed. Whether it does so is
// not to be known from outside: one dial finds out.
type links struct {
	mu    sync.Mutex
	known map[int]knowledge
	route func(netip.Addr) int // the index of the link by which an address is reached, 0: none
}

type knowledge struct {
	passes bool // answers come by the node
	at     time.Time
}

// relearn is how long a bad experience counts: a network may change.
const relearn = 10 * time.Minute

func newLinks() *links { return &links{known: map[int]knowledge{}, route: linkTo} }

// A path is the way from an endpoint back to a client.
type path struct {
	links *links
	link  int // which both are on, or 0
}

func (l *links) between(client, endpoint netip.Addr) path {
	if to := l.route(endpoint); to != 0 && to == l.route(client) {
		return path{l, to}
	}
	return path{l, 0}
}

// passes says that answers come by the node, as far as is known.
func (p path) passes() bool {
	k, ok := p.seen()
	return !ok || k.passes
}

// unsure says that one is on the link of the other, and nothing is known of it.
func (p path) unsure() bool {
	_, ok := p.seen()
	return p.link != 0 && !ok
}

func (p path) seen() (knowledge, bool) {
	if p.link == 0 {
		return knowledge{passes: true}, true
	}
	p.links.mu.Lock()
	defer p.links.mu.Unlock()
	k, ok := p.links.known[p.link]
	return k, ok && (k.passes || time.Since(k.at) < relearn)
}

func (p path) learn(passes bool) {
	if p.link == 0 {
		return
	}
	p.links.mu.Lock()
	defer p.links.mu.Unlock()
	p.links.known[p.link] = knowledge{passes: passes, at: time.Now()}
}

func linkTo(a netip.Addr) int {
	routes, err := netlink.RouteGet(a.AsSlice())
	if err != nil || len(routes) == 0 {
		return 0
	}
	return routes[0].LinkIndex
}
