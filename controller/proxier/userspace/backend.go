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
	ledger   *ledger
	families map[plan.Family]*family
	told     bool // that there is no IPv6
}

// A family is what there is of one.
type family struct {
	intake *intake
	rules  []chain
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

// Sync makes the kernel and the listeners be what a plan says. The tables are
// replaced in one step.
func (b *Backend) Sync(_ context.Context, p *plan.Plan) error {
	settings := p.Settings
	b.settings = &settings
	for _, f := range families {
		if err := b.open(f, b.families[f]); err != nil {
			return err
		}
	}
	was, ports := b.served(), slices.Collect(maps.Values(p.Ports))
	b.serve(ports)
	refused, err := b.replace(p)
	if err != nil {
		return err
	}
	for id := range was {
		if p.Ports[id] == nil {
			b.unserve(id)
		}
	}
	b.restore(refused, was)
	return result(refused, ports)
}

// Apply brings changes in: first what comes, so that the proxy knows it before a
// rule sends it connections; then the rules; then what goes.
func (b *Backend) Apply(_ context.Context, changes []plan.Change) error {
	if b.settings == nil {
		return errors.New("changes of a plan that was never brought in")
	}
	var (
		entries           []entry
		come, later, both []*plan.Port
		was               = map[plan.ID]*plan.Port{}
	)
	for _, c := range changes {
		if v := b.ports.get(c.ID); v != nil {
			was[c.ID] = v.port
		}
		switch {
		case c.Is == nil:
			entries = append(entries, entry{id: c.ID})
			continue
		case serves(b.settings, c.Is):
			come = append(come, c.Is)
		default:
			later = append(later, c.Is)
		}
		both = append(both, c.Is)
		entries = append(entries, entry{c.ID, elements(b.settings, c.Is)})
	}
	b.serve(come)
	refused, err := b.bring(entries)
	if err != nil {
		return err
	}
	b.serve(later)
	for _, c := range changes {
		if c.Is == nil && refused[c.ID] == nil {
			b.unserve(c.ID)
		}
	}
	b.restore(refused, was)
	return result(refused, both)
}

// serves says whether anybody at all gets an endpoint of a port.
func serves(s *plan.Settings, p *plan.Port) bool {
	return slices.ContainsFunc(p.Frontends, func(f plan.Frontend) bool {
		v := verdict(s, p, f)
		return v == verdictCapture || v == verdictInside
	})
}

// Intact says whether the rules, and the routes to the proxy, are there.
func (b *Backend) Intact(context.Context) (bool, error) {
	for f, is := range b.families {
		if is.absent {
			continue
		}
		if is.rules == nil {
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

// serve has the proxy answer for ports, and ends UDP flows that no longer fit.
func (b *Backend) serve(ports []*plan.Port) {
	known := slices.DeleteFunc(slices.Clone(ports), func(p *plan.Port) bool {
		return p.Protocol == plan.SCTP || b.families[p.Family].absent
	})
	b.ports.set(b.settings, known...)
	for _, p := range known {
		b.udp.prune(b.ports.get(p.ID), b.ports.keeps)
	}
}

func (b *Backend) unserve(id plan.ID) {
	if v := b.ports.drop(id); v != nil {
		b.udp.prune(v, func(*flow) bool { return false })
	}
}

// served are the ports that the proxy answers for.
func (b *Backend) served() map[plan.ID]*plan.Port {
	all := map[plan.ID]*plan.Port{}
	for _, id := range b.ports.ids() {
		all[id] = b.ports.get(id).port
	}
	return all
}

// restore has the proxy do again what the kernel still does.
func (b *Backend) restore(refused plan.Refused, was map[plan.ID]*plan.Port) {
	for id := range refused {
		if p := was[id]; p != nil {
			b.serve([]*plan.Port{p})
		} else {
			b.unserve(id)
		}
	}
}

// result is the error of a Sync or Apply of ports.
func result(refused plan.Refused, ports []*plan.Port) error {
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

// replace has the kernel hold the rules for the settings, and a plan's elements.
func (b *Backend) replace(p *plan.Plan) (plan.Refused, error) {
	b.ledger = newLedger()
	entries := b.entries(p)
	whole := b.ledger.step(entries)
	err := b.kernel.replace(b.tables(whole.come))
	if err == nil {
		return plan.Refused{}, nil
	}
	// A port is refused, or everything: without ports it will be seen.
	whole.undo()
	if also := b.kernel.replace(b.tables(nil)); also != nil {
		return nil, fmt.Errorf("tables %s: %w", tableName, also)
	}
	return b.bring(entries)
}

// tables are all that this machine has, for the settings.
func (b *Backend) tables(come []element) []table {
	var all []table
	for _, f := range families {
		is := b.families[f]
		if is.absent {
			continue
		}
		is.rules = chains(f, b.settings, b.marks)
		all = append(all, table{f, is.rules, of(f, come)})
	}
	return all
}

// entries are the ports of a plan in the order of their names, so that the same
// plan makes the same batch.
func (b *Backend) entries(p *plan.Plan) []entry {
	var all []entry
	for _, id := range sortedIDs(p) {
		if !b.families[id.Family].absent {
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

// bring has the kernel take changes of ports. Where it refuses some, and a table
// isn't as it was made, something else is wrong than ports.
func (b *Backend) bring(entries []entry) (plan.Refused, error) {
	entries = slices.DeleteFunc(entries, func(e entry) bool { return b.families[e.id.Family].absent })
	refused := b.ledger.bring(entries, b.kernel.change)
	if len(refused) == 0 {
		return refused, nil
	}
	for f, is := range b.families {
		if is.absent {
			continue
		}
		if ok, err := intact(f, is.rules); err != nil || !ok {
			return nil, errors.Join(fmt.Errorf("table %s of %s is not as it was made: %v", tableName, f, refused), err)
		}
	}
	return refused, nil
}

// open makes a family ready, unless it is: its listeners, and the way to them. A
// machine may have no IPv6, or none now; then IPv4 is served alone.
func (b *Backend) open(f plan.Family, is *family) error {
	err := b.ready(f, is)
	if err == nil || f == plan.IPv4 {
		is.absent = false
		return err
	}
	if !b.told {
		b.told = true
		b.log.Warn("IPv6 can't be served on this machine: Services are served by IPv4 alone", "err", err)
	}
	is.absent = true
	return nil
}

func (b *Backend) ready(f plan.Family, is *family) error {
	if is.intake == nil {
		in, err := open(context.Background(), f, b.ports, b.tcp, b.udp, b.log)
		if err != nil {
			return err
		}
		is.intake = in
	}
	if is.rules == nil {
		if err := probe(f); err != nil {
			return fmt.Errorf("nftables for %s: %w", f, err)
		}
	}
	if err := divert(f, b.marks.take); err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	return nil
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
