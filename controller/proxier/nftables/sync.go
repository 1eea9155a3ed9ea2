package nftables

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Sync takes over a table of this schema that is there, sending what differs
// alone; it replaces any other in one batch, and makes one where there is none,
// with the hooks last.
func (b *Backend) Sync(ctx context.Context, p *plan.Plan) error {
	refused := plan.Refused{}
	for _, f := range families {
		some, err := b.syncFamily(ctx, f, p)
		if err != nil {
			return err
		}
		maps.Copy(refused, some)
	}
	generation, err := b.link.conn.Generation()
	if err != nil {
		return err
	}
	b.link.generation, b.link.foreign, b.unsure = generation, false, false
	b.lookedAt = b.now()
	return orNil(refused)
}

func (b *Backend) syncFamily(ctx context.Context, f plan.Family, p *plan.Plan) (plan.Refused, error) {
	if b.lacks[f] {
		return nil, nil
	}
	h := b.half(f, &p.Settings)
	var err error
	if b.link.generation, err = b.link.conn.Generation(); err != nil {
		return nil, err
	}
	old := b.halves[f]
	if old == nil {
		old = b.half(f, &p.Settings)
	}
	refused, err := b.bring(ctx, h, old, p)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.halves[f] = h
	b.mu.Unlock()
	table, err := b.link.conn.Table(h.wire, h.table)
	h.handle = table.Handle
	return refused, err
}

func (b *Backend) half(f plan.Family, s *plan.Settings) *half {
	h := newHalf(f, s, b.link)
	h.table = b.table
	return h
}

// bring makes the kernel hold a plan, whatever it holds.
func (b *Backend) bring(ctx context.Context, h, old *half, p *plan.Plan) (plan.Refused, error) {
	table, err := b.link.conn.Table(h.wire, h.table)
	if err != nil {
		return nil, err
	}
	if table.Handle == 0 {
		return b.build(ctx, h, b.fresh(h, old, p), nil)
	}
	chains, err := b.link.conn.Chains(h.wire, h.table)
	if err != nil {
		return nil, err
	}
	if err := h.find(chains); err != nil {
		b.log.Info("the table is replaced", "family", h.ip, "reason", err)
		return b.replace(ctx, h, b.fresh(h, old, p))
	}
	return b.adopt(ctx, h, old, p, chains)
}

// fresh are steps that add all ports of a family.
func (b *Backend) fresh(h, old *half, p *plan.Plan) []step {
	steps := make([]step, 0, len(p.Ports))
	for _, id := range slices.SortedFunc(maps.Keys(p.Ports), compareID) {
		if id.Family != h.plan {
			continue
		}
		port, was := p.Ports[id], old.ports[id]
		if was == nil {
			was = h.recall(port)
		}
		steps = append(steps, step{id: id, is: b.decide(port, was)})
	}
	return steps
}

// start are the table, its sets and the chains without hooks.
func (h *half) start(b *wire.Batch) {
	b.AddTable(h.wire, h.table)
	for _, s := range sets() {
		b.AddSet(h.wire, h.table, h.family.declare(s))
	}
	h.create(b, h.fixed(h.settings))
	h.note(h.fixed(h.settings))
}

func (h *half) note(chains []chain) {
	for _, c := range chains {
		h.chains[c.name] = len(c.rules)
	}
}

// finish are the hooks, and the marker that says that all is there.
func (h *half) finish(b *wire.Batch) {
	last := append(h.hooks(h.settings), chain{name: h.marker(h.settings)})
	h.create(b, last)
	h.note(last)
}

// build makes a table where there is none.
func (b *Backend) build(ctx context.Context, h *half, steps []step, before func(*wire.Batch)) (plan.Refused, error) {
	var first, last wire.Batch
	if before != nil {
		before(&first)
	}
	h.start(&first)
	if err := b.link.commit(&first); err != nil {
		return nil, fmt.Errorf("table %s %s: %w", h.ip, h.table, err)
	}
	refused, err := h.apply(ctx, steps)
	if err != nil {
		return nil, err
	}
	h.finish(&last)
	if err := b.link.commit(&last); err != nil {
		return nil, fmt.Errorf("table %s %s: hooks: %w", h.ip, h.table, err)
	}
	return refused, nil
}

// replace makes a table instead of another, in one batch: no packet meets
// neither. Where the kernel refuses that, it is done in steps.
func (b *Backend) replace(ctx context.Context, h *half, steps []step) (plan.Refused, error) {
	c, err := h.work(steps)
	if err != nil {
		return nil, err
	}
	away := func(batch *wire.Batch) { batch.DelTable(h.wire, h.table) }
	var batch wire.Batch
	away(&batch)
	h.start(&batch)
	h.write(&batch, c)
	h.finish(&batch)
	if err := b.link.commit(&batch); err != nil {
		b.log.Warn("the table could not be replaced at once; new connections to Services fail for a moment",
			"family", h.ip, "error", err)
		h.chains = map[string]int{}
		return b.build(ctx, h, steps, away)
	}
	h.done(steps, c)
	return nil, nil
}

// find says why a table can't be taken over, if so.
func (h *half) find(chains map[string]int) error {
	found := false
	for name := range chains {
		found = found || strings.HasPrefix(name, markerPrefix()+"-")
	}
	if !found {
		return errors.New("it is of another version, or was not finished")
	}
	names, err := h.conn.Sets(h.wire, h.table)
	if err != nil {
		return err
	}
	for _, s := range sets() {
		if !slices.Contains(names, s.name) {
			return fmt.Errorf("it has no %s", s.name)
		}
	}
	h.kernel = map[string]map[string]wire.Element{}
	for _, name := range names {
		if !isOurs(name) {
			h.strange = append(h.strange, name)
			continue
		}
		if setOf(name).dynamic {
			continue
		}
		all, err := h.conn.Elements(h.wire, h.table, name)
		if err != nil {
			return err
		}
		h.kernel[name] = make(map[string]wire.Element, len(all))
		for _, e := range all {
			h.kernel[name][e.Key+e.End] = e
		}
	}
	return nil
}

// isOurs says that a set may be one of ours by its name.
func isOurs(name string) bool {
	return isMember(name) || slices.ContainsFunc(sets(), func(s set) bool { return s.name == name })
}

// adopt takes over a table of this schema: chains are rewritten, since nobody
// knows what others did to them, what is missing is added, what nobody wants
// deleted at last.
func (b *Backend) adopt(ctx context.Context, h, old *half, p *plan.Plan, chains map[string]int) (plan.Refused, error) {
	steps := b.fresh(h, old, p)
	b.link.foreign = true
	var first wire.Batch
	stale := h.align(&first, steps, chains)
	if err := b.link.commit(&first); err != nil {
		b.log.Info("the table is replaced", "family", h.ip, "reason", err)
		return b.replace(ctx, h.again(), steps)
	}
	refused, err := h.apply(ctx, steps)
	if err == nil {
		err = h.clear(stale)
	}
	h.kernel = nil
	if err != nil {
		return nil, err
	}
	return refused, h.purgeStale()
}

// again forgets what was found, for a table that is replaced after all.
func (h *half) again() *half {
	h.kernel, h.timeouts, h.strange = nil, nil, nil
	h.chains, h.known = map[string]int{}, map[entrance]bool{}
	return h
}

// align makes the chains that are there do what they should, and returns those
// that nobody needs.
func (h *half) align(b *wire.Batch, steps []step, found map[string]int) (stale []string) {
	b.AddTable(h.wire, h.table) // wakes one that was made dormant
	want := append(h.fixed(h.settings), h.hooks(h.settings)...)
	c := change{known: map[entrance]bool{}}
	for _, s := range steps {
		h.needs(&c, s.is)
	}
	h.timeouts = c.timeouts
	slices.Sort(h.timeouts)
	h.declare(b, h.timeouts)
	for i := range want {
		if want[i].name == rememberC {
			want[i].rules = h.remember(h.timeouts)
		}
	}
	h.known = c.known
	marker := h.marker(h.settings)
	want = append(append(want, c.chains...), chain{name: marker})
	for _, ch := range want {
		b.AddChain(h.wire, h.table, ch.name, ch.hook) // one that is there gets its policy
		delete(found, ch.name)
	}
	for _, ch := range want {
		h.rewrite(b, ch)
	}
	h.note(want)
	return slices.Sorted(maps.Keys(found))
}

// clear deletes elements that nobody spoke for, then chains and sets that
// nothing needs any more.
func (h *half) clear(stale []string) error {
	for _, set := range clearOrder(h.kernel) {
		for all := range slices.Chunk(slices.Collect(maps.Values(h.kernel[set])), chunk) {
			var b wire.Batch
			b.DelElements(h.wire, h.table, set, all)
			if err := h.link.commit(&b); err != nil {
				return fmt.Errorf("table %s %s: %s: %w", h.ip, h.table, set, err)
			}
		}
	}
	var b wire.Batch
	for _, set := range slices.Sorted(maps.Keys(h.kernel)) {
		if isMember(set) && !h.wants(set) {
			b.DelSet(h.wire, h.table, set)
		}
	}
	for _, name := range stale {
		b.DelRules(h.wire, h.table, name)
	}
	for _, name := range stale {
		b.DelChain(h.wire, h.table, name)
	}
	for _, name := range h.strange {
		b.DelSet(h.wire, h.table, name)
	}
	if err := h.link.commit(&b); err != nil && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("table %s %s: leftovers: %w", h.ip, h.table, err)
	}
	return nil
}

func (h *half) wants(set string) bool {
	for _, t := range h.timeouts {
		for _, s := range membersOf(t) {
			if s.name == set {
				return true
			}
		}
	}
	return false
}

// clearOrder has verdicts first: a frontend goes before its endpoints do.
func clearOrder(all map[string]map[string]wire.Element) []string {
	names := slices.Sorted(maps.Keys(all))
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case counts(a) == counts(b):
			return 0
		case counts(a):
			return -1
		}
		return 1
	})
	return names
}

// purgeStale deletes remembered clients whose endpoint no port with affinity
// has.
func (h *half) purgeStale() error {
	alive := map[string]bool{}
	for _, st := range h.ports {
		if st.Affinity == 0 {
			continue
		}
		h.elements(st, func(i item, _ string) {
			if isMember(i.set) {
				alive[i.key] = true
			}
		})
	}
	return h.purge(func(frontend, endpoint string) bool { return !alive[frontend+endpoint] })
}
