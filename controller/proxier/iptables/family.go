package iptables

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A family is the tools and the ruleset of one family of addresses.
type family struct {
	tools
	runner runner
	is     plan.Family
	kind   string // the flavour of the tools; "" before they were asked
	hash   bool   // the kernel has the match "cluster"
	// ruleset is nil before the first Sync, and while it is not known what the
	// kernel holds.
	ruleset *ruleset
	watch   watch
	counts  counts
	written map[string]int // rules that were written the last time, by table
}

// open asks what tools these are and what the kernel takes, once.
func (f *family) open(ctx context.Context, log *slog.Logger) error {
	if f.kind != "" {
		return nil
	}
	kind, err := f.tools.kind(ctx, f.runner)
	if err != nil {
		return err
	}
	if f.hash, err = f.takesHash(ctx); err != nil {
		return fmt.Errorf("%s: %w", f.is, err)
	}
	f.kind = kind
	log.Info("iptables found", "family", f.is, "flavour", kind, "program", f.restore)
	if !f.hash {
		log.Info("source-hash and maglev remember clients instead of hashing them", "family", f.is)
	}
	return nil
}

// takesHash says whether the kernel can hash clients by the match "cluster". Of
// an IPv6 address that looks at the first 32 bits alone (xt_cluster.c gives
// jhash2 a count of 1 word), which all clients of a provider share. The error
// says that the kernel takes no rule at all. The chain that this leaves goes
// with the Sync that follows.
func (f *family) takesHash(ctx context.Context) (bool, error) {
	try := func(body string) error {
		b := &block{table: "nat"}
		b.chain(chain{probeChain, nobodys(body)})
		return f.commit(ctx, f.runner, script{b})
	}
	if f.is == plan.IPv4 && try("-m cluster --cluster-total-nodes 2 --cluster-local-nodemask 0x1 --cluster-hash-seed 0x1 -j RETURN") == nil {
		return true, nil
	}
	return false, try("-j RETURN")
}

func (f *family) sync(ctx context.Context, p *plan.Plan, refused plan.Refused) error {
	f.ruleset = nil
	ports := map[plan.ID]*plan.Port{}
	for id, port := range p.Ports {
		if id.Family == f.is {
			ports[id] = port
		}
	}
	pr := programmer{settings: &p.Settings, family: f.is, hash: f.hash}
	next, said := f.take(ctx, pr, ports)
	if said != nil {
		culprits, err := f.culprits(ctx, pr, slices.Collect(maps.Values(ports)), said)
		if err != nil {
			return err
		}
		maps.Copy(refused, culprits)
		maps.DeleteFunc(ports, func(id plan.ID, _ *plan.Port) bool { return culprits[id] != nil })
		if next, err = f.take(ctx, pr, ports); err != nil {
			return err
		}
	}
	f.ruleset = next
	f.counts.only(ports)
	return nil
}

// blockSize is how many chains are best told in one commit. For each rule
// iptables-nft-restore goes through a list of all chains of the commit: blocks
// of a thousand make 4,000 Services of two endpoints take a fifth of the time
// that one takes. A legacy commit copies the table, and one is best.
func (f *family) blockSize() int {
	if f.kind == flavourNft {
		return 1000
	}
	return math.MaxInt
}

// take makes the kernel hold ports and nothing else.
func (f *family) take(ctx context.Context, pr programmer, ports map[plan.ID]*plan.Port) (*ruleset, error) {
	was, err := f.read(ctx, f.runner)
	if err != nil {
		return nil, err
	}
	next := newRuleset(pr)
	maps.Copy(next.ports, ports)
	s := next.whole(was, f.blockSize())
	if err := f.commit(ctx, f.runner, s); err != nil {
		return nil, err
	}
	f.wrote(s)
	return next, nil
}

func (f *family) apply(ctx context.Context, changes []plan.Change, refused plan.Refused) error {
	if f.ruleset == nil {
		return fmt.Errorf("%s: nothing has been synced, or something failed since", f.is)
	}
	undo := f.reversed(changes)
	s := f.ruleset.change(changes)
	if said := f.commit(ctx, f.runner, s); said != nil {
		s = f.ruleset.change(undo)
		good, err := f.without(ctx, changes, refused, said)
		if err != nil {
			f.ruleset = nil
			return err
		}
		// What was brought in by half is taken back first.
		s = append(s, f.ruleset.change(good)...)
		if err := f.commit(ctx, f.runner, s); err != nil {
			f.ruleset = nil
			return err
		}
	}
	f.wrote(s)
	f.counts.change(f.ruleset.ports, changes)
	return nil
}

// wrote takes note of a script that the kernel has taken.
func (f *family) wrote(s script) {
	f.counts.restarted(s.written("nat"))
	f.written = map[string]int{"nat": s.rules("nat"), "filter": s.rules("filter")}
}

// without are the changes less those that the kernel refuses.
func (f *family) without(ctx context.Context, changes []plan.Change, refused plan.Refused, said error) ([]plan.Change, error) {
	var ports []*plan.Port
	for _, c := range changes {
		if c.Is != nil {
			ports = append(ports, c.Is)
		}
	}
	culprits, err := f.culprits(ctx, f.ruleset.programmer, ports, said)
	if err != nil {
		return nil, err
	}
	maps.Copy(refused, culprits)
	return slices.DeleteFunc(slices.Clone(changes), func(c plan.Change) bool { return culprits[c.ID] != nil }), nil
}

// reversed are the changes that undo others.
func (f *family) reversed(changes []plan.Change) []plan.Change {
	undo := make([]plan.Change, len(changes))
	for i, c := range changes {
		undo[i] = plan.Change{ID: c.ID, Was: c.Is, Is: f.ruleset.ports[c.ID]}
	}
	return undo
}

// culprits finds the ports that a kernel refuses. Where it refuses none, or
// refuses what is nobody's, the error is the one that it was asked for.
func (f *family) culprits(ctx context.Context, pr programmer, ports []*plan.Port, said error) (plan.Refused, error) {
	if !unsupported(said) || f.commit(ctx, f.runner, pr.probe(nil)) != nil {
		return nil, said
	}
	slices.SortFunc(ports, func(a, b *plan.Port) int { return compareIDs(a.ID, b.ID) })
	found := plan.Refused{}
	if err := f.sift(ctx, pr, ports, found); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, said
	}
	return found, f.commit(ctx, f.runner, unprobe())
}

// sift tries ports, all at once first. Where iptables-restore names a line, the
// line's port is the one; a legacy kernel names none, and then the ports are
// tried by halves.
func (f *family) sift(ctx context.Context, pr programmer, ports []*plan.Port, found plan.Refused) error {
	for len(ports) > 0 {
		s := pr.probe(ports)
		err := f.commit(ctx, f.runner, s)
		var said *failure
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &said) || said.busy():
			return err
		}
		id := s.at(said.line())
		if id == nil && len(ports) == 1 {
			id = &ports[0].ID
		}
		if id == nil {
			half := len(ports) / 2
			if err := f.sift(ctx, pr, ports[:half], found); err != nil {
				return err
			}
			ports = ports[half:]
			continue
		}
		found[*id] = said
		ports = slices.DeleteFunc(slices.Clone(ports), func(p *plan.Port) bool { return p.ID == *id })
	}
	return nil
}
