package ipvs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

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

// steps runs them. Between those that protect and those that answer it calls
// protect, for rules that need the members. The error is one that is not about
// a single port.
func (r *round) steps(ctx context.Context, protect func(context.Context) error) error {
	if err := r.addMembers(ctx); err != nil {
		return err
	}
	if err := protect(ctx); err != nil {
		return err
	}
	if err := r.bringServers(); err != nil {
		return err
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

// bringServers makes virtual servers what they are to be: first all that comes
// comes, so that there is a real server at any time, then the rest goes. Nothing
// becomes of a refused port: it could be one that nothing protects.
func (r *round) bringServers() error {
	due := slices.SortedFunc(maps.Keys(r.touched.servers), compareServers)
	var calls []call
	for _, s := range due {
		if want, wanted := r.virtual(s); wanted {
			calls = append(calls, r.coming(s, want)...)
		}
	}
	if err := r.call(calls); err != nil {
		return err
	}
	calls = nil
	for _, s := range due {
		want, wanted := r.virtual(s)
		_, owned := r.wish.owners[s]
		switch {
		case wanted:
			calls = append(calls, r.going(s, want)...)
		case !owned && r.servers[s] != nil:
			calls = append(calls, call{operation: deleteServer, server: s})
		}
	}
	return r.call(calls)
}

// virtual is what a virtual server is to be, if its port isn't refused.
func (r *round) virtual(s server) (virtual, bool) {
	want, wanted := r.wish.virtual(s)
	_, refused := r.refused[r.wish.owners[s]]
	return want, wanted && !refused
}

func (r *round) coming(s server, want virtual) []call {
	var calls []call
	is := r.servers[s]
	switch {
	case is == nil && len(want.reals) == 0:
		return nil
	case is == nil:
		is = &held{}
		calls = append(calls, call{operation: addServer, server: s, schedule: want.schedule})
	case is.schedule != want.schedule:
		calls = append(calls, call{operation: setServer, server: s, schedule: want.schedule})
	}
	for _, at := range slices.SortedFunc(maps.Keys(want.reals), netip.AddrPort.Compare) {
		weight, there := is.reals[at]
		c := call{operation: addReal, server: s, real: at, weight: want.reals[at]}
		if there {
			c.operation = setReal
		}
		if !there || weight != c.weight {
			calls = append(calls, c)
		}
	}
	return calls
}

// going takes real servers away: at once or, by weight 0, as soon as reap finds
// them idle.
func (r *round) going(s server, want virtual) []call {
	is := r.servers[s]
	if is == nil {
		return nil
	}
	var calls []call
	drains := want.schedule.drains(s.Protocol)
	for _, at := range slices.SortedFunc(maps.Keys(is.reals), netip.AddrPort.Compare) {
		if _, wanted := want.reals[at]; wanted {
			continue
		}
		switch {
		case !drains:
			calls = append(calls, call{operation: deleteReal, server: s, real: at})
		case is.reals[at] != 0:
			calls = append(calls, call{operation: setReal, server: s, real: at})
		}
	}
	if drains && len(is.reals) > len(want.reals) {
		r.draining[s] = true
	}
	if len(want.reals) == 0 && (!drains || len(is.reals) == 0) {
		return []call{{operation: deleteServer, server: s}}
	}
	return calls
}

// call makes calls and refuses the ports for which one fails.
func (r *round) call(calls []call) error {
	failed, err := r.do(calls)
	for i, failure := range failed {
		if failure == nil {
			continue
		}
		s := calls[i].server
		failure = fmt.Errorf("%v: %w", calls[i], failure)
		id, owned := r.wish.owners[s]
		switch {
		case !owned:
			err = errors.Join(err, failure)
		case r.refused[id] == nil:
			r.refused[id] = failure
		}
	}
	return err
}

// bind puts the VIPs on our device. What comes to them is answered from then on.
func (r *round) bind() {
	for _, a := range r.vips(func(m member) bool { return r.members[m] && r.wish.users[m] > 0 }) {
		if r.bound[a] {
			continue
		}
		if err := r.device.bind(a); err != nil {
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
		if err := r.device.unbind(a); err != nil {
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
