// Package ipvs turns a plan into virtual servers of ipvs, addresses of a dummy
// device, members of ipsets, and a few iptables rules whose number doesn't
// depend on the plan.
//
// It may not touch a virtual server, address, set, chain or rule that isn't
// its own: its own are the device sallyport-ipvs, the sets and chains that its
// README names, and the virtual servers at the device's addresses and in the set
// sallyport-servers. It decides nothing of what a packet gets: that is plan's.
package ipvs

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Options say how a Backend does what a plan leaves open.
type Options struct {
	Log *slog.Logger // nil is none
	// Scheduler is that of ports without a balance of their own: one that
	// CheckScheduler knows, or "" for rr.
	Scheduler string
	// StrictARP answers ARP for no address of the device: for a network in
	// which somebody else announces the VIPs.
	StrictARP bool
	// ExcludeCIDRs hold addresses whose virtual servers are never deleted.
	ExcludeCIDRs []netip.Prefix
	// The timeouts are those of idle connections, in whole seconds; 0 leaves
	// the kernel's.
	TCPTimeout, TCPFinTimeout, UDPTimeout time.Duration
}

func (o Options) scheduler() string {
	if o.Scheduler == "" {
		return "rr"
	}
	return o.Scheduler
}

// A Backend tells the kernel of the network namespace in which New was called.
type Backend struct {
	options Options
	log     *slog.Logger
	handle  kernelTable
	netlink *netlink.Handle
	watch   *watch
	closers []func()

	view     view
	wish     *wish
	kernel   *kernel
	families map[plan.Family]flavour // that this machine has
	swept    bool                    // the flavours that aren't used
	warned   bool                    // that there is no IPv6
	rules    map[plan.Family][]tableText
	look     time.Time     // when rules and sets are next looked at
	lookEach time.Duration // programs are run for that, which costs some milliseconds

	mu      sync.Mutex // Connections uses counter, and reads wish
	counter kernelTable
}

// New opens a Backend, and changes nothing yet but for modules that it loads.
// The error says why ipvs can't be used here, or that there is no such
// scheduler.
func New(o Options) (*Backend, error) {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := CheckScheduler(o.scheduler()); err != nil {
		return nil, err
	}
	if err := probe(context.Background(), o.scheduler()); err != nil {
		return nil, err
	}
	b := &Backend{
		options: o, log: log, wish: newWish(), lookEach: 5 * time.Second,
		rules: map[plan.Family][]tableText{},
	}
	if err := b.open(); err != nil {
		b.Close()
		return nil, err
	}
	b.kernel = &kernel{table: b.handle, run: run, draining: map[server]bool{}}
	return b, nil
}

func (b *Backend) open() (err error) {
	if b.handle, err = openTable(); err != nil {
		return err
	}
	b.closers = append(b.closers, b.handle.close)
	if b.counter, err = openTable(); err != nil {
		return err
	}
	b.closers = append(b.closers, b.counter.close)
	if b.netlink, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	b.closers = append(b.closers, b.netlink.Close)
	if b.watch, err = openWatch(); err != nil {
		return err
	}
	b.closers = append(b.closers, b.watch.close)
	return nil
}

// Close ends the goroutine and the sockets.
func (b *Backend) Close() error {
	b.mu.Lock() // Connections may be using one
	defer b.mu.Unlock()
	for _, end := range b.closers {
		end()
	}
	b.closers = nil
	return nil
}

// Sync makes the kernel hold a plan. Virtual servers that are right stay as
// they are.
func (b *Backend) Sync(ctx context.Context, p *plan.Plan) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if err := b.readMembers(ctx, p); err != nil {
		return err
	}
	next := map[plan.ID]*piece{}
	for id := range b.wish.pieces {
		next[id] = nil
	}
	for id, port := range p.Ports {
		next[id] = b.compile(port)
	}
	if err := b.readServers(next); err != nil {
		return err
	}
	for f := range b.families {
		b.rules[f] = rulesOf(f, &p.Settings)
	}
	return b.bring(ctx, next, b.kernel.all(), b.program)
}

// compile is nil for a family that this machine doesn't have.
func (b *Backend) compile(p *plan.Port) *piece {
	if _, ok := b.families[p.Family]; !ok {
		return nil
	}
	return b.view.compile(p)
}

// Apply brings changes in.
func (b *Backend) Apply(ctx context.Context, changes []plan.Change) error {
	next := map[plan.ID]*piece{}
	for _, c := range changes {
		next[c.ID] = nil
		if c.Is != nil {
			next[c.ID] = b.compile(c.Is)
		}
	}
	return b.bring(ctx, next, newTouched(), nothing)
}

func nothing(context.Context) error { return nil }

// bring puts pieces in the place of others, and the kernel in step. What is
// refused gets its old piece back, and if that is refused, too, none. Also are
// things that may have to go.
func (b *Backend) bring(ctx context.Context, next map[plan.ID]*piece, also *touched, protect func(context.Context) error) error {
	was := map[plan.ID]*piece{}
	for id := range next {
		was[id] = b.wish.pieces[id]
	}
	first, err := b.round(ctx, next, also, protect)
	refused := first
	for _, back := range []map[plan.ID]*piece{was, nil} {
		if err != nil {
			return err
		}
		if len(refused) == 0 {
			break
		}
		again := map[plan.ID]*piece{}
		for id := range refused {
			again[id] = back[id]
		}
		refused, err = b.round(ctx, again, newTouched(), nothing)
	}
	if err != nil {
		return err
	}
	if len(first) > 0 {
		return first
	}
	return nil
}

func (b *Backend) round(ctx context.Context, next map[plan.ID]*piece, also *touched, protect func(context.Context) error) (plan.Refused, error) {
	b.mu.Lock()
	refused := b.wish.replace(next, also)
	b.mu.Unlock()
	r := &round{kernel: b.kernel, wish: b.wish, among: next, touched: also, refused: refused}
	err := r.steps(ctx, protect)
	return r.refused, err
}

// Intact looks whether addresses, rules, sets and a virtual server are still
// there, and whether the node has other addresses than when it was last told.
// It also deletes what has drained.
func (b *Backend) Intact(ctx context.Context) (bool, error) {
	if b.kernel.device == nil {
		return false, nil
	}
	if ok, err := b.addressesHold(); err != nil || !ok {
		return false, err
	}
	if ok, err := b.serverHolds(); err != nil || !ok {
		return false, err
	}
	if ok, err := b.rulesHold(ctx); err != nil || !ok {
		return false, err
	}
	if err := b.kernel.reap(b.wish); err != nil {
		return false, err
	}
	return true, nil
}

// Connections counts the connections of each port's virtual servers. A count
// begins anew when a virtual server is made anew.
func (b *Backend) Connections(context.Context) (map[plan.ID]uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	counted, err := b.counter.servers()
	if err != nil {
		return nil, err
	}
	all := map[plan.ID]uint64{}
	for s, l := range counted {
		if id, ok := b.wish.owners[s]; ok {
			all[id] += l.connections
		}
	}
	return all, nil
}
