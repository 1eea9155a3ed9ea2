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

// How long it is from a look at the elements to the next, which comes only after
// somebody else changed nf_tables: it costs what there is, and so it is at least
// restFactor times as long as it took.
const (
	lookSoonest = time.Second
	lookEvery   = 30 * time.Second // at most
	restFactor  = 50
)

// Intact asks the kernel for the number of its last change. If that isn't ours,
// it looks whether the tables are ours and their rules untouched; and, as often
// as lookEvery and restFactor say, whether all elements are there.
func (b *Backend) Intact(ctx context.Context) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	generation, err := b.link.conn.Generation()
	if err != nil {
		return false, err
	}
	foreign := generation != b.link.generation || b.link.foreign
	b.unsure = b.unsure || foreign
	for _, h := range b.halves {
		if !foreign && h.rules != nil {
			continue
		}
		if whole, err := h.whole(); err != nil || !whole {
			return false, err
		}
	}
	if b.unsure && b.now().Sub(b.lookedAt) >= b.pause {
		if same, err := b.same(); err != nil || !same {
			return false, err
		}
	}
	b.link.generation, b.link.foreign = generation, false
	return true, nil
}

// same says that each table has the elements that it should.
func (b *Backend) same() (bool, error) {
	start := b.now()
	for _, h := range b.halves {
		if same, err := h.same(); err != nil || !same {
			return false, err
		}
	}
	b.lookedAt = b.now()
	b.unsure = false
	b.pause = min(max(restFactor*b.lookedAt.Sub(start), lookSoonest), lookEvery)
	return true, nil
}

// whole says that a table is the one we made, awake, with all its chains and
// the rules in them that it had.
func (h *half) whole() (bool, error) {
	table, err := h.conn.Table(h.wire, h.table)
	if err != nil || table.Handle != h.handle || table.Flags != 0 {
		return false, err
	}
	for _, c := range append(h.hooks(h.settings), chain{name: h.marker(h.settings)}) {
		if accepts, err := h.conn.Accepts(h.wire, h.table, c.name); err != nil || !accepts {
			return false, err
		}
	}
	rules, err := h.conn.Rules(h.wire, h.table)
	if err != nil {
		return false, err
	}
	if h.rules == nil {
		if !h.asMany(rules) {
			return false, nil
		}
		h.rules = rules
	}
	return maps.EqualFunc(rules, h.rules, slices.Equal), nil
}

// asMany says that each chain has as many rules as it should. The kernel tells
// of a rule in other bytes than it was told; so what we wrote is read back
// before anybody else is likely to have replaced it.
func (h *half) asMany(rules map[string][]uint64) bool {
	n := 0
	for name, want := range h.chains {
		if len(rules[name]) != want {
			return false
		}
		if want > 0 {
			n++
		}
	}
	return n == len(rules)
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
