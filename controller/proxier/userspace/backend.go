package userspace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Options are what a Backend can be told. All have defaults.
type Options struct {
	Log *slog.Logger
	// Mark is the bit of packet and conntrack marks that the rules use, together
	// with the bit below it. 0 is DefaultMark.
	Mark uint32
	// Flows is how many UDP flows there may be. 0 is half of the files that the
	// process may open, 65,536 at most.
	Flows int
}

// Backend is the mode userspace. Its methods but Connections and RefusedFlows
// are called by one goroutine at a time.
type Backend struct {
	log    *slog.Logger
	marks  marks
	kernel kernel
	ports  *directory
	tcp    *streams
	udp    *datagrams

	settings *plan.Settings // nil before the first Sync
	families map[plan.Family]*family
}

// A family is what there is of one.
type family struct {
	intake *intake
	rules  []chain
	ledger *ledger
	// absent says that the machine doesn't have the family: its ports are nobody's.
	absent bool
}

var families = [...]plan.Family{plan.IPv4, plan.IPv6}

// New makes a Backend that serves nothing yet. It raises the process's soft
// limit of open files to the hard one.
func New(o Options) (*Backend, error) {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if o.Mark == 0 {
		o.Mark = DefaultMark
	}
	if o.Mark&(o.Mark-1) != 0 || o.Mark == 1 {
		return nil, fmt.Errorf("mark 0x%x: want one bit, and not the lowest", o.Mark)
	}
	files := raiseFiles(log)
	if o.Flows == 0 {
		o.Flows = mostFlows(files)
	}
	m := marksOf(o.Mark)
	d := &dialer{mark: m.mine, links: newLinks()}
	return &Backend{
		log: log, marks: m, kernel: netfilter{}, ports: newDirectory(),
		tcp: newStreams(d, log), udp: newDatagrams(d, o.Flows, log),
		families: map[plan.Family]*family{plan.IPv4: {}, plan.IPv6: {}},
	}, nil
}

// Sync makes the kernel and the listeners be what a plan says. Each family's
// table is replaced in one step.
func (b *Backend) Sync(_ context.Context, p *plan.Plan) error {
	settings := p.Settings
	b.settings = &settings
	was := map[plan.ID]*plan.Port{}
	for _, port := range p.Ports {
		if v := b.ports.get(port.ID); v != nil {
			was[port.ID] = v.port
		}
		b.serve(port)
	}
	refused := plan.Refused{}
	for _, f := range families {
		r, err := b.syncFamily(f, p)
		if err != nil {
			return err
		}
		maps.Copy(refused, r)
	}
	for _, id := range b.ports.ids() {
		if p.Ports[id] == nil {
			b.unserve(id)
		}
	}
	b.restore(refused, was)
	return b.result(refused, slices.Collect(maps.Values(p.Ports)))
}

// Apply brings changes in. What comes is known to the proxy before a rule sends
// it connections, and what goes after none does.
func (b *Backend) Apply(_ context.Context, changes []plan.Change) error {
	if b.settings == nil {
		return errors.New("changes of a plan that was never brought in")
	}
	was := map[plan.ID]*plan.Port{}
	entries := map[plan.Family][]entry{}
	var come []*plan.Port
	for _, c := range changes {
		e := entry{id: c.ID}
		if v := b.ports.get(c.ID); v != nil {
			was[c.ID] = v.port
		}
		if c.Is != nil {
			come = append(come, c.Is)
			e.is = elements(b.settings, c.Is)
			b.serve(c.Is)
		}
		entries[c.ID.Family] = append(entries[c.ID.Family], e)
	}
	refused := plan.Refused{}
	for _, f := range families {
		r, err := b.bring(f, entries[f])
		if err != nil {
			return err
		}
		maps.Copy(refused, r)
	}
	for _, c := range changes {
		if c.Is == nil && refused[c.ID] == nil {
			b.unserve(c.ID)
		}
	}
	b.restore(refused, was)
	return b.result(refused, come)
}

// Intact says whether the rules, and the routes to the proxy, are there.
func (b *Backend) Intact(context.Context) (bool, error) {
	for f, is := range b.families {
		if is.intake == nil {
			if is.absent {
				continue
			}
			return false, nil
		}
		for _, ask := range []func() (bool, error){
			func() (bool, error) { return intact(f, is.rules) },
			func() (bool, error) { return diverted(f, b.marks.take) },
		} {
			if ok, err := ask(); err != nil || !ok {
				return false, err
			}
		}
	}
	return true, nil
}

// Connections counts the TCP connections and UDP flows that each port got from
// this process.
func (b *Backend) Connections(context.Context) (map[plan.ID]uint64, error) {
	return b.ports.taken(), nil
}

// RefusedFlows counts the UDP datagrams that were dropped because there were too
// many flows already.
func (b *Backend) RefusedFlows() uint64 { return b.udp.refused.Load() }

// Close ends the listeners and all connections. The rules stay: until the next
// Sync, or Cleanup, they refuse what is sent to Services, as nobody listens.
func (b *Backend) Close() error {
	var failed []error
	for _, f := range b.families {
		if f.intake != nil {
			failed = append(failed, f.intake.close())
			f.intake = nil
		}
	}
	b.tcp.close()
	b.udp.close()
	return errors.Join(failed...)
}

// serve has the proxy answer for a port, and ends UDP flows that no longer fit.
func (b *Backend) serve(p *plan.Port) {
	if p.Protocol == plan.SCTP {
		return
	}
	b.ports.set(b.settings, p)
	b.udp.prune(b.ports.get(p.ID), b.ports.keeps)
}

func (b *Backend) unserve(id plan.ID) {
	if v := b.ports.drop(id); v != nil {
		b.udp.prune(v, func(*flow) bool { return false })
	}
}

// restore has the proxy do again what the kernel still does.
func (b *Backend) restore(refused plan.Refused, was map[plan.ID]*plan.Port) {
	for id := range refused {
		if p := was[id]; p != nil {
			b.serve(p)
		} else {
			b.unserve(id)
		}
	}
}

// result is the error of a Sync or Apply of ports.
func (b *Backend) result(refused plan.Refused, ports []*plan.Port) error {
	for _, p := range ports {
		if p.Protocol == plan.SCTP && refused[p.ID] == nil {
			refused[p.ID] = errSCTP
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return refused
}

// syncFamily opens a family's listeners, and replaces its rules.
func (b *Backend) syncFamily(f plan.Family, p *plan.Plan) (plan.Refused, error) {
	is := b.families[f]
	if err := b.open(f, is); err != nil || is.absent {
		return nil, err
	}
	entries := b.entries(f, p)
	is.rules = chains(f, b.settings, b.marks)
	is.ledger = newLedger()
	var refused plan.Refused
	whole := is.ledger.step(entries)
	err := b.kernel.replace(f, is.rules, whole.come)
	if err != nil {
		// A port is refused, or all is: without ports it will be seen.
		whole.undo()
		if also := b.kernel.replace(f, is.rules, nil); also != nil {
			return nil, fmt.Errorf("table %s of %s: %w", tableName, f, also)
		}
		refused, err = b.bring(f, entries)
	}
	if err != nil {
		return nil, err
	}
	return refused, divert(f, b.marks.take)
}

// entries are the ports of a family in the order of their names, so that the
// same plan makes the same batch.
func (b *Backend) entries(f plan.Family, p *plan.Plan) []entry {
	var all []entry
	for _, id := range sortedIDs(p) {
		if id.Family == f {
			all = append(all, entry{id, elements(b.settings, p.Ports[id])})
		}
	}
	return all
}

func sortedIDs(p *plan.Plan) []plan.ID {
	all := slices.Collect(maps.Keys(p.Ports))
	slices.SortFunc(all, func(a, b plan.ID) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// bring has the kernel take changes of a family's ports. Where it refuses all of
// several, something else is wrong than ports.
func (b *Backend) bring(f plan.Family, entries []entry) (plan.Refused, error) {
	is := b.families[f]
	if is.absent {
		return nil, nil
	}
	if is.ledger == nil {
		return nil, fmt.Errorf("%s has no table", f)
	}
	refused := is.ledger.bring(entries, func(gone, come []element) error { return b.kernel.change(f, gone, come) })
	if len(refused) == 0 {
		return nil, nil
	}
	if ok, err := intact(f, is.rules); err != nil || !ok {
		return nil, errors.Join(fmt.Errorf("table %s of %s is not as it was made: %v", tableName, f, refused), err)
	}
	return refused, nil
}

// open listens in a family, once. A machine may have no IPv6.
func (b *Backend) open(f plan.Family, is *family) error {
	if is.intake != nil || is.absent {
		return nil
	}
	in, err := open(context.Background(), f, b.ports, b.tcp, b.udp, b.log)
	if f == plan.IPv6 && lacking(err) {
		is.absent = true
		b.log.Warn("this machine has no IPv6: its Services are served by IPv4 alone", "err", err)
		return nil
	}
	is.intake = in
	return err
}

// lacking says that an error means that the kernel doesn't have a family.
func lacking(err error) bool {
	for _, no := range []error{unix.EAFNOSUPPORT, unix.EADDRNOTAVAIL, unix.EPROTONOSUPPORT, unix.EOPNOTSUPP} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}
