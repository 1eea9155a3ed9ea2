package userspace

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// retryEvery is how long a node port that another process holds is left alone.
const retryEvery = 10 * time.Second

// Loopback serves node ports at 127.0.0.1 and ::1, which no mode's rules do: a
// socket listens for each. A port without endpoints has no socket, so that the
// kernel refuses. It serves TCP and UDP, not SCTP.
//
// All its methods may be called at any time by any goroutine.
type Loopback struct {
	log      *slog.Logger
	ports    *directory
	tcp      *streams
	udp      *datagrams
	retry    time.Duration
	stop     chan struct{}
	finished chan struct{}

	mu       sync.Mutex
	closed   bool
	settings *plan.Settings
	plans    map[plan.ID]*plan.Port
	sockets  map[plan.ID]map[uint16]io.Closer
	problems map[plan.ID]error
}

// NewLoopback makes one that serves nothing yet.
func NewLoopback(log *slog.Logger) *Loopback { return newLoopback(log, retryEvery) }

func newLoopback(log *slog.Logger, retry time.Duration) *Loopback {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	d := &dialer{}
	l := &Loopback{
		log: log, ports: newDirectory(), retry: retry,
		tcp: newStreams(d, log), udp: newDatagrams(d, mostFlows(raiseFiles(log)), log),
		stop: make(chan struct{}), finished: make(chan struct{}),
		settings: &plan.Settings{},
		plans:    map[plan.ID]*plan.Port{},
		sockets:  map[plan.ID]map[uint16]io.Closer{},
		problems: map[plan.ID]error{},
	}
	go l.retryAll()
	return l
}

// Sync serves the node ports of a plan and no others. A port that another
// process holds is no error: it is in Problems, and tried again.
func (l *Loopback) Sync(ctx context.Context, p *plan.Plan) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	settings := p.Settings
	l.settings = &settings
	for id := range l.plans {
		if p.Ports[id] == nil {
			l.forget(id)
		}
	}
	for _, port := range p.Ports {
		l.hold(ctx, port)
	}
	return nil
}

// Apply brings changes in.
func (l *Loopback) Apply(ctx context.Context, changes []plan.Change) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	for _, c := range changes {
		if c.Is == nil {
			l.forget(c.ID)
		}
	}
	for _, c := range changes {
		if c.Is != nil {
			l.hold(ctx, c.Is)
		}
	}
	return nil
}

// Problems are the ports that can't be served now, and why.
func (l *Loopback) Problems() map[plan.ID]error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.problems)
}

// Connections counts the connections and UDP flows that each port got.
func (l *Loopback) Connections() map[plan.ID]uint64 { return l.ports.taken() }

// Close ends everything, connections too.
func (l *Loopback) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.stop)
	var failed []error
	for _, all := range l.sockets {
		for _, s := range all {
			failed = append(failed, s.Close())
		}
	}
	l.mu.Unlock()
	<-l.finished
	l.tcp.close()
	l.udp.close()
	return errors.Join(failed...)
}

// retryAll tries again, from time to time, what didn't work.
func (l *Loopback) retryAll() {
	defer close(l.finished)
	tick := time.NewTicker(l.retry)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		l.mu.Lock()
		if !l.closed {
			for _, id := range slices.Collect(maps.Keys(l.problems)) {
				l.hold(context.Background(), l.plans[id])
			}
		}
		l.mu.Unlock()
	}
}

// hold makes the sockets of a port what its plan wants.
func (l *Loopback) hold(ctx context.Context, p *plan.Port) {
	wanted := l.wanted(p)
	if len(wanted) == 0 {
		l.forget(p.ID)
		return
	}
	l.plans[p.ID] = p
	l.ports.set(l.settings, p)
	for port, s := range l.sockets[p.ID] {
		if _, ok := wanted[port]; !ok {
			l.shut(p.ID, port, s)
		}
	}
	was := l.problems[p.ID]
	delete(l.problems, p.ID)
	for port := range wanted {
		if err := l.listen(ctx, p, port); err != nil {
			l.problems[p.ID] = err
			if was == nil {
				l.log.Warn("a node port is not served on loopback", "port", p.ID.String(), "err", err)
			}
		}
	}
	l.prune(p.ID)
}

// wanted are the node ports of a port that are to be answered here.
func (l *Loopback) wanted(p *plan.Port) map[uint16]struct{} {
	if p.Protocol == plan.SCTP || !l.settings.NodePorts.Loopback(p.Family) {
		return nil
	}
	all := map[uint16]struct{}{}
	for _, f := range p.Frontends {
		if f.Kind == plan.NodePort && l.settings.Treat(p, f, plan.ThisNode).Verdict == plan.Serve {
			all[f.Port] = struct{}{}
		}
	}
	return all
}

// listen opens the socket of a node port, unless it is open.
func (l *Loopback) listen(ctx context.Context, p *plan.Port, port uint16) error {
	if l.sockets[p.ID][port] != nil {
		return nil
	}
	var s io.Closer
	at := netip.AddrPortFrom(loopbackOf(p.Family), port)
	switch p.Protocol {
	case plan.TCP:
		ln, err := listenTCP(ctx, at, shared)
		if err != nil {
			return err
		}
		l.tcp.accept(ln, l.routeTCP)
		s = ln
	case plan.UDP:
		c, err := listenUDP(ctx, at, shared)
		if err != nil {
			return err
		}
		l.udp.read(c, func([]byte) (netip.AddrPort, error) { return at, nil }, l.wayOf(c))
		s = c
	}
	if l.sockets[p.ID] == nil {
		l.sockets[p.ID] = map[uint16]io.Closer{}
	}
	l.sockets[p.ID][port] = s
	return nil
}

func (l *Loopback) routeTCP(c *net.TCPConn) (target, plan.Origin, bool) {
	t, ok := l.ports.find(plan.TCP, addrPort(c.LocalAddr()))
	return t, plan.ThisNode, ok
}

// wayOf sends answers from the socket that the client sent to.
func (l *Loopback) wayOf(c *net.UDPConn) way {
	return func(k key) (lead, error) {
		t, ok := l.ports.find(plan.UDP, k.to)
		if !ok {
			return lead{}, errNobody
		}
		return lead{t, plan.ThisNode, k.to, back{conn: c, release: func() {}}}, nil
	}
}

// forget closes all that a port has. Its TCP connections go on.
func (l *Loopback) forget(id plan.ID) {
	delete(l.plans, id)
	delete(l.problems, id)
	for port, s := range l.sockets[id] {
		l.shut(id, port, s)
	}
	delete(l.sockets, id)
	if v := l.ports.drop(id); v != nil {
		l.udp.prune(v, func(*flow) bool { return false })
	}
}

func (l *Loopback) shut(id plan.ID, port uint16, s io.Closer) {
	delete(l.sockets[id], port)
	if err := s.Close(); err != nil {
		l.log.Warn("a node port's socket was not closed", "port", id.String(), "err", err)
	}
}

// prune ends the flows that no longer fit the plan.
func (l *Loopback) prune(id plan.ID) {
	v := l.ports.get(id)
	l.udp.prune(v, func(f *flow) bool { return l.ports.keeps(f) })
}
