package nftables

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// kernel is the boundary: what wire.Conn does.
type kernel interface {
	Commit(b *wire.Batch, generation uint32) error
}

// link is the way to the kernel that both halves share.
type link struct {
	conn   *wire.Conn
	kernel kernel
	// generation is that of our last batch, and foreign says that there was one
	// of somebody else since we last looked what it did.
	generation uint32
	foreign    bool
}

// commit makes the kernel take a batch. Batches of others in between are
// noted, and do not matter: an element of ours that they deleted makes the
// kernel refuse.
func (l *link) commit(b *wire.Batch) error {
	for range 100 {
		err := l.kernel.Commit(b, l.generation)
		switch {
		case err == nil && !b.Empty():
			l.generation++
			if l.generation == 0 {
				l.generation++
			}
			return nil
		case !errors.Is(err, wire.ErrChanged):
			return err
		}
		l.foreign = true
		if l.generation, err = l.conn.Generation(); err != nil {
			return err
		}
	}
	return wire.ErrChanged
}

// A half is one family's table: what is in the kernel, and why.
type half struct {
	*program
	*link
	mu sync.Mutex // held by who writes ports, and by who reads them from another goroutine

	ports    map[plan.ID]*state
	refs     map[item]int      // of shared elements
	chains   map[string]int    // the chains there are, and how many rules each has
	known    map[entrance]bool // those whose chains are there
	timeouts []time.Duration   // those that have sets
	handle   uint64            // the table's
	// rules are hashes of those in each chain as the kernel tells of them, nil
	// where we have written some since they were read.
	rules map[string][]uint64
	swept int // how many chains were needed when the others were deleted

	strange []string // sets that were found and are nobody's

	// kernel are elements that were found and not yet spoken for, by set and
	// key, while a table is taken over; nil otherwise.
	kernel map[string]map[string]wire.Element
}

func newHalf(f plan.Family, s *plan.Settings, l *link) *half {
	return &half{
		program: newProgram(f, s), link: l, ports: map[plan.ID]*state{}, refs: map[item]int{},
		chains: map[string]int{}, known: map[entrance]bool{},
	}
}

// apply does steps, in batches that the kernel takes whole.
func (h *half) apply(ctx context.Context, steps []step) (plan.Refused, error) {
	refused := plan.Refused{}
	for _, some := range chunks(steps) {
		if err := h.try(ctx, some, refused); err != nil {
			return refused, err
		}
	}
	return refused, nil
}

// try does steps in one batch. One that the kernel refuses is halved until the
// culprits are alone.
func (h *half) try(ctx context.Context, steps []step, refused plan.Refused) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := h.work(steps)
	if err != nil {
		return err
	}
	var b wire.Batch
	h.write(&b, c)
	err = h.link.commit(&b)
	switch {
	case err == nil:
		h.done(steps, c)
		return h.forget(c.dead)
	case !refusable(err):
		return fmt.Errorf("table %s %s: %w", h.ip, h.table, err)
	case len(steps) == 1:
		refused[steps[0].id] = err
		return nil
	}
	middle := len(steps) / 2
	if err := h.try(ctx, steps[:middle], refused); err != nil {
		return err
	}
	return h.try(ctx, steps[middle:], refused)
}

// forget deletes what is remembered of clients of endpoints that are gone.
func (h *half) forget(dead map[string]bool) error {
	for _, gone := range dead {
		if gone {
			return h.purge(func(frontend, endpoint string) bool { return dead[frontend+endpoint] })
		}
	}
	return nil
}

// purge deletes remembered clients whose frontend and endpoint are gone.
func (h *half) purge(gone func(frontend, endpoint string) bool) error {
	for _, set := range []string{affinity, nodePortAffinity} {
		if err := h.purgeSet(set, gone); err != nil {
			return err
		}
	}
	return nil
}

// purgeSet deletes one by one: an entry may expire before it is deleted, and
// would spoil a batch.
func (h *half) purgeSet(set string, gone func(frontend, endpoint string) bool) error {
	all, err := h.conn.Elements(h.wire, h.table, set)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(e wire.Element) bool { return !gone(e.Key[h.size:], wire.Plain(e.Data)) })
	if len(all) == 0 || h.delete(set, all) == nil {
		return nil
	}
	for i := range all {
		if err := h.delete(set, all[i:i+1]); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

func (h *half) delete(set string, all []wire.Element) error {
	var b wire.Batch
	b.DelElements(h.wire, h.table, set, all)
	return h.link.commit(&b)
}

func isMember(set string) bool {
	return strings.HasPrefix(set, members) || strings.HasPrefix(set, nodePortMembers)
}
