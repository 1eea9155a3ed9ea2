package ipvs

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A kernel is what of ours the kernel is known to hold, and the ways to change
// it. Each change is noted when it has happened, so that what failed half way
// can be brought on from where it is.
type kernel struct {
	table   table
	run     runner
	link    netlink.Link
	servers map[server]*held
	members map[member]bool
	bound   map[netip.Addr]bool
	// draining are the virtual servers with real servers that wait for the end
	// of their connections.
	draining map[server]bool
}

// A round brings a kernel in step with a wish. The steps of it are in an order
// in which a port is never less protected than before or after, and answers
// throughout if it does before and after: members come, virtual servers change,
// addresses come; then addresses and members go.
type round struct {
	*kernel
	wish    *wish
	among   map[plan.ID]*piece // the ports that it is about
	touched *touched
	refused plan.Refused
}

// do runs the steps. Between those that protect and those that answer it calls
// protect, for rules that need the members. The error is one that is not about
// a single port.
func (r *round) do(ctx context.Context, protect func(context.Context) error) error {
	if err := r.addMembers(ctx); err != nil {
		return err
	}
	if err := protect(ctx); err != nil {
		return err
	}
	for _, s := range slices.SortedFunc(maps.Keys(r.touched.servers), compareServers) {
		if err := r.bringServer(s); err != nil {
			id, owned := r.wish.owners[s]
			if !owned {
				return fmt.Errorf("%v: %w", s, err)
			}
			r.refused[id] = fmt.Errorf("%v: %w", s, err)
		}
	}
	r.bind()
	if err := r.unbind(); err != nil {
		return err
	}
	return r.deleteMembers(ctx)
}

// addMembers adds those that are wanted and not there. A line that the kernel
// refuses is left out, and the ports that need it are refused.
func (r *round) addMembers(ctx context.Context) error {
	var due []member
	for m := range r.touched.members {
		if r.wish.users[m] > 0 && !r.members[m] {
			due = append(due, m)
		}
	}
	slices.SortFunc(due, compareMembers)
	return r.restore(ctx, "add", due, func(m member) { r.members[m] = true })
}

func (r *round) deleteMembers(ctx context.Context) error {
	var due []member
	for m := range r.touched.members {
		if r.wish.users[m] == 0 && r.members[m] {
			due = append(due, m)
		}
	}
	slices.SortFunc(due, func(a, b member) int { return compareMembers(b, a) })
	return r.restore(ctx, "del", due, func(m member) { delete(r.members, m) })
}

func (r *round) restore(ctx context.Context, verb string, due []member, done func(member)) error {
	for len(due) > 0 {
		lines := make([]string, len(due))
		for i, m := range due {
			lines[i] = verb + " " + m.String()
		}
		failed, err := r.run.ipset(ctx, lines)
		if err != nil && failed < 0 {
			return err
		}
		if err == nil {
			failed = len(due)
		}
		for _, m := range due[:failed] {
			done(m)
		}
		if err == nil {
			return nil
		}
		for _, id := range r.wish.usersOf(due[failed], r.among) {
			r.refused[id] = fmt.Errorf("%s %v: %w", verb, due[failed], err)
		}
		due = due[failed+1:]
	}
	return nil
}

// bringServer makes one virtual server what it is to be. That of a refused port
// stays as it is: it could be one that nothing protects.
func (r *round) bringServer(s server) error {
	want, wanted := r.wish.virtual(s)
	is := r.servers[s]
	if _, refused := r.refused[r.wish.owners[s]]; wanted && refused {
		return nil
	}
	switch {
	case !wanted && is == nil, is == nil && len(want.reals) == 0:
		return nil
	case !wanted:
		return r.deleteServer(s)
	case is == nil:
		if err := r.table.do(call{operation: addServer, server: s, schedule: want.schedule}); err != nil {
			return fmt.Errorf("add: %w", err)
		}
		is = &held{want.schedule, map[netip.AddrPort]uint16{}}
		r.servers[s] = is
	case is.schedule != want.schedule:
		if err := r.table.do(call{operation: setServer, server: s, schedule: want.schedule}); err != nil {
			return fmt.Errorf("change: %w", err)
		}
		is.schedule = want.schedule
	}
	return r.bringReals(s, is, want)
}

func (k *kernel) deleteServer(s server) error {
	if err := k.table.do(call{operation: deleteServer, server: s}); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	delete(k.servers, s)
	delete(k.draining, s)
	return nil
}

// bringReals adds first and takes away last, so that there is always one.
func (r *round) bringReals(s server, is *held, want virtual) error {
	for _, at := range slices.SortedFunc(maps.Keys(want.reals), netip.AddrPort.Compare) {
		weight, there := is.reals[at]
		c := call{operation: addReal, server: s, real: at, weight: want.reals[at]}
		if there {
			c.operation = setReal
		}
		if there && weight == c.weight {
			continue
		}
		if err := r.table.do(c); err != nil {
			return fmt.Errorf("real server %s: %w", at, err)
		}
		is.reals[at] = c.weight
	}
	for _, at := range slices.SortedFunc(maps.Keys(is.reals), netip.AddrPort.Compare) {
		if _, wanted := want.reals[at]; wanted {
			continue
		}
		if err := r.takeReal(s, is, want, at); err != nil {
			return fmt.Errorf("real server %s: %w", at, err)
		}
	}
	if len(is.reals) == 0 {
		return r.deleteServer(s)
	}
	return nil
}

// takeReal takes a real server away, at once or, with weight 0, as soon as reap
// finds it idle.
func (r *round) takeReal(s server, is *held, want virtual, at netip.AddrPort) error {
	if !want.schedule.drains(s.Protocol) {
		if err := r.table.do(call{operation: deleteReal, server: s, real: at}); err != nil {
			return err
		}
		delete(is.reals, at)
		return nil
	}
	if is.reals[at] != 0 {
		if err := r.table.do(call{operation: setReal, server: s, real: at}); err != nil {
			return err
		}
		is.reals[at] = 0
	}
	r.draining[s] = true
	return nil
}

// bind puts the VIPs on our device. What comes to them is answered from then on.
func (r *round) bind() {
	for _, a := range r.vips(func(m member) bool { return r.members[m] && r.wish.users[m] > 0 }) {
		if r.bound[a] {
			continue
		}
		if err := bind(r.link, a); err != nil {
			for _, id := range r.wish.usersOf(ofVIP(a), r.among) {
				r.refused[id] = err
			}
			continue
		}
		r.bound[a] = true
	}
}

func (r *round) unbind() error {
	for _, a := range r.vips(func(m member) bool { return r.wish.users[m] == 0 }) {
		if !r.bound[a] {
			continue
		}
		if err := unbind(r.link, a); err != nil {
			return err
		}
		delete(r.bound, a)
	}
	return nil
}

// vips are the addresses of those touched members of setVIPs that some function
// picks.
func (r *round) vips(pick func(member) bool) []netip.Addr {
	var all []netip.Addr
	for m := range r.touched.members {
		if m.set != setVIPs || !pick(m) {
			continue
		}
		if a, err := netip.ParseAddr(m.element); err == nil {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// reap deletes the real servers that have drained, and the virtual servers that
// have none left. It asks for those alone that have something to drain.
func (k *kernel) reap(w *wish) error {
	for s := range k.draining {
		if err := k.reapServer(s, w); err != nil {
			return fmt.Errorf("%v: %w", s, err)
		}
	}
	return nil
}

func (k *kernel) reapServer(s server, w *wish) error {
	is, want := k.servers[s], virtual{}
	if is == nil {
		delete(k.draining, s)
		return nil
	}
	want, _ = w.virtual(s)
	reals, err := k.table.reals(s)
	if err != nil {
		return err
	}
	left := false
	for at := range is.reals {
		if _, wanted := want.reals[at]; wanted {
			continue
		}
		if reals[at].connections > 0 {
			left = true
			continue
		}
		if err := k.table.do(call{operation: deleteReal, server: s, real: at}); err != nil {
			return err
		}
		delete(is.reals, at)
	}
	if len(is.reals) == 0 {
		return k.deleteServer(s)
	}
	if !left {
		delete(k.draining, s)
	}
	return nil
}
