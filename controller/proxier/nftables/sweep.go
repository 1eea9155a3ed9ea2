package nftables

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
)

// sweepMany is how many chains there may be before those that no port needs are
// looked for. They cost nothing, and may be needed again in a moment.
const sweepMany = 512

// sweep deletes chains that no port needs. Kernels before 6.2 count a reference
// until later: those that are busy stay.
func (h *half) sweep() error {
	if len(h.chains) < max(sweepMany, 2*h.swept) {
		return nil
	}
	needed := map[string]bool{h.marker(h.settings): true}
	for _, c := range append(h.fixed(h.settings), h.hooks(h.settings)...) {
		needed[c.name] = true
	}
	used := map[entrance]bool{}
	for _, st := range h.ports {
		for _, f := range st.Frontends {
			used[h.entrance(st, f)] = true
		}
	}
	for e := range used {
		for _, c := range h.family.chains(e, h.settings) {
			needed[c.name] = true
		}
	}
	h.swept = len(needed)
	stale := slices.DeleteFunc(slices.Sorted(maps.Keys(h.chains)), func(n string) bool { return needed[n] })
	var b wire.Batch
	for _, name := range stale {
		b.DelRules(h.wire, h.table, name)
	}
	for _, name := range stale {
		b.DelChain(h.wire, h.table, name)
	}
	if err := h.link.commit(&b); errors.Is(err, unix.EBUSY) {
		return nil
	} else if err != nil {
		return fmt.Errorf("table %s %s: unused chains: %w", h.ip, h.table, err)
	}
	for _, name := range stale {
		delete(h.chains, name)
	}
	h.known, h.rules = used, nil
	return nil
}
