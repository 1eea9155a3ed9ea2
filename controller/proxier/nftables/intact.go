package nftables

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
)

// lookEvery is how often the elements are compared at most, and only after
// somebody else changed nf_tables: that costs what there is.
const lookEvery = 30 * time.Second

// Intact asks the kernel for the number of its last change. If that isn't ours,
// it looks whether the tables are ours and their chains whole; and, no more
// often than every 30 seconds, whether all elements are there.
func (b *Backend) Intact(ctx context.Context) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	generation, err := b.link.conn.Generation()
	if err != nil {
		return false, err
	}
	if generation != b.link.generation || b.link.foreign {
		b.link.foreign, b.unsure = true, true
		for _, h := range b.halves {
			if whole, err := h.whole(); err != nil || !whole {
				return false, err
			}
		}
	}
	if b.unsure && b.now().Sub(b.lookedAt) >= lookEvery {
		for _, h := range b.halves {
			if same, err := h.same(); err != nil || !same {
				return false, err
			}
		}
		b.unsure, b.lookedAt = false, b.now()
	}
	b.link.generation, b.link.foreign = generation, false
	return true, nil
}

// whole says that a table is the one we made, with all its chains and as many
// rules in each.
func (h *half) whole() (bool, error) {
	handle, err := h.conn.Table(h.wire, h.table)
	if err != nil || handle != h.handle {
		return false, err
	}
	chains, err := h.conn.Chains(h.wire, h.table)
	return maps.Equal(chains, h.chains), err
}

// same says that each set has the elements that it should.
func (h *half) same() (bool, error) {
	want := map[string]map[string]string{}
	put := func(i item, data string) {
		if want[i.set] == nil {
			want[i.set] = map[string]string{}
		}
		want[i.set][i.key] = data
	}
	for _, st := range h.ports {
		h.elements(st, put)
	}
	names := make([]string, 0, len(sets()))
	for _, s := range sets() {
		if !s.dynamic {
			names = append(names, s.name)
		}
	}
	for _, t := range h.timeouts {
		for _, s := range membersOf(t) {
			names = append(names, s.name)
		}
	}
	for _, set := range names {
		all, err := h.conn.Elements(h.wire, h.table, set)
		if errors.Is(err, unix.ENOENT) {
			return false, nil
		}
		if err != nil || !match(all, want[set]) {
			return false, err
		}
	}
	return true, nil
}

func match(all []wire.Element, want map[string]string) bool {
	if len(all) != len(want) {
		return false
	}
	return !slices.ContainsFunc(all, func(e wire.Element) bool {
		data, ok := want[e.Key+e.End]
		return !ok || data != e.Data
	})
}
