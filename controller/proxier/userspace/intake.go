package userspace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// An intake is the sockets of one family at which all traffic of Services comes
// in: for each origin one of TCP and one of UDP.
type intake struct {
	family  plan.Family
	ports   *directory
	log     *slog.Logger
	sockets []io.Closer
	voices  *voices
}

// open listens, and gives what comes to the streams and datagrams.
func open(ctx context.Context, f plan.Family, ports *directory, s *streams, d *datagrams, log *slog.Logger) (*intake, error) {
	in := &intake{family: f, ports: ports, log: log, voices: &voices{open: map[netip.AddrPort]*voice{}}}
	for _, o := range origins {
		at := listenAt(f, o)
		ln, err := listenTCP(ctx, at, transparent, shared)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen at %s/tcp: %w", at, err), in.close())
		}
		in.sockets = append(in.sockets, ln)
		c, err := listenUDP(ctx, at, transparent, shared, destined)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen at %s/udp: %w", at, err), in.close())
		}
		in.sockets = append(in.sockets, c)
		s.accept(ln, in.routeOf(at, o))
		d.read(c, sentTo, in.wayOf(c, at, o))
	}
	return in, nil
}

// close ends the listening; connections go on.
func (in *intake) close() error {
	var failed []error
	for _, s := range in.sockets {
		failed = append(failed, s.Close())
	}
	return errors.Join(failed...)
}

// routeOf finds what a connection is for by its own address: that is where the
// client sent to, unless a rule has translated it.
func (in *intake) routeOf(at netip.AddrPort, o plan.Origin) route {
	return func(c *net.TCPConn) (target, plan.Origin, bool) {
		to := addrPort(c.LocalAddr())
		if to == at {
			var err error
			if to, err = translatedFrom(c, in.family); err != nil {
				in.log.Debug("a connection is for nobody", "client", c.RemoteAddr().String(), "err", err)
				return target{}, o, false
			}
		}
		t, ok := in.ports.find(plan.TCP, to)
		return t, o, ok
	}
}

// wayOf is the same for datagrams. Answers to what was translated go back from
// the socket that got it, so that conntrack translates them too.
func (in *intake) wayOf(c *net.UDPConn, at netip.AddrPort, o plan.Origin) way {
	return func(k key) (lead, error) {
		l := lead{origin: o, to: k.to, back: back{conn: c, release: func() {}}}
		var err error
		if k.to == at {
			if l.to, err = translatedUDP(k.client, at); err != nil {
				return lead{}, err
			}
		}
		var ok bool
		if l.target, ok = in.ports.find(plan.UDP, l.to); !ok {
			return lead{}, errNobody
		}
		if k.to != at {
			l.back, err = in.voices.get(k.to)
		}
		return l, err
	}
}

// voices are the sockets from which answers to UDP clients go: each has an
// address to which clients send. They are there while a flow needs them, and
// nothing is read from them, for what comes to their address goes to the intake.
type voices struct {
	mu   sync.Mutex
	open map[netip.AddrPort]*voice
}

type voice struct {
	conn  *net.UDPConn
	flows int
}

func (vs *voices) get(at netip.AddrPort) (back, error) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v := vs.open[at]
	if v == nil {
		c, err := listenUDP(context.Background(), at, transparent, reuse, shared)
		if err != nil {
			return back{}, fmt.Errorf("answer from %s: %w", at, err)
		}
		v = &voice{conn: c}
		vs.open[at] = v
	}
	v.flows++
	return back{v.conn, func() { vs.release(at, v) }}, nil
}

func (vs *voices) release(at netip.AddrPort, v *voice) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if v.flows--; v.flows == 0 {
		v.conn.Close()
		delete(vs.open, at)
	}
}
