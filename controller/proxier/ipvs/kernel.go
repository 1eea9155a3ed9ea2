package ipvs

import (
	"fmt"
	"maps"
	"net/netip"
)

// A kernel is what of ours the kernel is known to hold, and the ways to change
// it. Each change is noted when it has happened, so that what failed half way
// can be brought on from where it is.
type kernel struct {
	table   table
	run     runner
	device  *device // nil before the first Sync
	servers map[server]*held
	members map[member]bool
	bound   map[netip.Addr]bool
	// draining are the virtual servers with real servers that wait for the end
	// of their connections.
	draining map[server]bool
}

// A held is a virtual server as the kernel is known to hold it.
type held struct {
	schedule schedule
	reals    map[netip.AddrPort]uint16 // and their weights: 0 is draining
}

// readTable reads those virtual servers that some function wants.
func readTable(t table, wanted func(server) bool) (map[server]*held, error) {
	servers, err := t.servers()
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(servers, func(s server, _ listed) bool { return !wanted(s) })
	all := map[server]*held{}
	for s, l := range servers {
		reals, err := t.reals(s)
		if err != nil {
			return nil, err
		}
		h := &held{l.schedule, map[netip.AddrPort]uint16{}}
		for at, r := range reals {
			h.reals[at] = r.weight
		}
		all[s] = h
	}
	return all, nil
}

// do makes calls, and notes those that did not fail.
func (k *kernel) do(calls []call) ([]error, error) {
	if len(calls) == 0 {
		return nil, nil
	}
	failed, err := k.table.do(calls)
	if err != nil {
		return nil, err
	}
	for i, c := range calls {
		if failed[i] == nil {
			k.note(c)
		}
	}
	return failed, nil
}

func (k *kernel) note(c call) {
	is := k.servers[c.server]
	if is == nil && c.operation != addServer {
		return // deleted just before
	}
	switch c.operation {
	case addServer:
		k.servers[c.server] = &held{c.schedule, map[netip.AddrPort]uint16{}}
	case setServer:
		is.schedule = c.schedule
	case deleteServer:
		delete(k.servers, c.server)
		delete(k.draining, c.server)
	case addReal, setReal:
		is.reals[c.real] = c.weight
	case deleteReal:
		delete(is.reals, c.real)
	}
}

// reap deletes the real servers that have drained, and the virtual servers that
// have none left. It asks for those alone that have something to drain.
func (k *kernel) reap(w *wish) error {
	var calls []call
	for s := range k.draining {
		some, err := k.reapServer(s, w)
		if err != nil {
			return err
		}
		calls = append(calls, some...)
	}
	failed, err := k.do(calls)
	for i, failure := range failed {
		if failure != nil {
			return fmt.Errorf("%v: %w", calls[i], failure)
		}
	}
	return err
}

func (k *kernel) reapServer(s server, w *wish) ([]call, error) {
	is := k.servers[s]
	want, _ := w.virtual(s)
	if is == nil || len(is.reals) == len(want.reals) {
		delete(k.draining, s)
		return nil, nil
	}
	reals, err := k.table.reals(s)
	if err != nil {
		return nil, err
	}
	var calls []call
	for at := range is.reals {
		_, wanted := want.reals[at]
		if !wanted && reals[at].connections == 0 {
			calls = append(calls, call{operation: deleteReal, server: s, real: at})
		}
	}
	if len(calls) == len(is.reals) {
		calls = []call{{operation: deleteServer, server: s}}
	}
	return calls, nil
}
