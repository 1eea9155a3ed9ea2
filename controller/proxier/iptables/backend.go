// Package iptables turns plans into rules of iptables: what iptables-restore
// and ip6tables-restore are given for the tables nat and filter.
//
// It may not decide what a packet gets, which is plan's. It touches no chain
// but those that names.go lists, and puts nothing in a chain of the kernel's
// own but one jump each. What it writes when something changes goes by what
// changed: it reads the kernel's tables only when it begins, when somebody else
// changed them, and to count connections.
package iptables

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// The flavours of iptables: one keeps its rules in ip_tables, the other in
// nf_tables. They know nothing of each other's.
const (
	flavourLegacy = "legacy"
	flavourNft    = "nft"
)

// Options are how a Backend is made.
type Options struct {
	// Log is slog.Default() where it is nil.
	Log *slog.Logger
	// Flavour is "legacy" or "nft" for iptables-legacy-restore and the like or
	// iptables-nft-restore, and "" for iptables-restore, whichever it is.
	Flavour string
}

// A Backend keeps one network namespace in step with a plan: that of the thread
// that calls its methods.
type Backend struct {
	log    *slog.Logger
	v4, v6 *family // v6 is nil where there is no ip6tables
	once   sync.Once
}

// New finds the programs, and runs none. The error says which is missing; that
// of IPv6 may be.
func New(o Options) (*Backend, error) { return newBackend(o, programs{}) }

func newBackend(o Options, r runner) (*Backend, error) {
	if !slices.Contains([]string{"", flavourLegacy, flavourNft}, o.Flavour) {
		return nil, fmt.Errorf("flavour %q of iptables is not legacy or nft", o.Flavour)
	}
	b := &Backend{log: o.Log}
	if b.log == nil {
		b.log = slog.Default()
	}
	four, err := look(o.Flavour, plan.IPv4)
	if err != nil {
		return nil, err
	}
	b.v4 = &family{tools: four, runner: r, is: plan.IPv4}
	if six, err := look(o.Flavour, plan.IPv6); err != nil {
		b.withoutIPv6(err)
	} else {
		b.v6 = &family{tools: six, runner: r, is: plan.IPv6}
	}
	return b, nil
}

func (b *Backend) withoutIPv6(why error) {
	b.once.Do(func() { b.log.Warn("IPv6 is not served", "error", why) })
}

// families are those that are served.
func (b *Backend) families() []*family {
	if b.v6 == nil {
		return []*family{b.v4}
	}
	return []*family{b.v4, b.v6}
}

// Sync makes the kernel hold a plan and nothing else of this mode. It reads the
// tables once, and writes each in one commit.
func (b *Backend) Sync(ctx context.Context, p *plan.Plan) error {
	if p.Settings.MasqueradeMark == 0 {
		return errors.New("masquerade mark: no bit is set, and everything would be masqueraded")
	}
	refused, failed := plan.Refused{}, []error(nil)
	for _, f := range b.families() {
		err := f.open(ctx, b.log)
		if err != nil && f == b.v6 && unsupported(err) {
			b.withoutIPv6(err)
			b.v6 = nil
			continue
		}
		if err == nil {
			err = f.sync(ctx, p, refused)
		}
		failed = append(failed, err)
	}
	return outcome(failed, refused)
}

// unsupported says that an error is what a program said, not that it was kept
// from saying.
func unsupported(err error) bool {
	var said *failure
	return errors.As(err, &said) && !said.busy()
}

// Apply brings changes in.
func (b *Backend) Apply(ctx context.Context, changes []plan.Change) error {
	refused, failed := plan.Refused{}, []error(nil)
	for _, f := range b.families() {
		var some []plan.Change
		for _, c := range changes {
			if c.ID.Family == f.is {
				some = append(some, c)
			}
		}
		if len(some) > 0 {
			failed = append(failed, f.apply(ctx, some, refused))
		}
	}
	return outcome(failed, refused)
}

// outcome is an error that is no Refused where anything else went wrong.
func outcome(failed []error, refused plan.Refused) error {
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if len(refused) > 0 {
		return refused
	}
	return nil
}

// Close does nothing: all that this mode has is in the kernel.
func (b *Backend) Close() error { return nil }

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
		log.Warn("source-hash and maglev are served at random: load the kernel module xt_cluster", "family", f.is)
	}
	return nil
}

func (f *family) sync(ctx context.Context, p *plan.Plan, refused plan.Refused) error {
	was, err := f.read(ctx, f.runner)
	if err != nil {
		return err
	}
	f.ruleset = nil
	ports := map[plan.ID]*plan.Port{}
	for id, port := range p.Ports {
		if id.Family == f.is {
			ports[id] = port
		}
	}
	pr := programmer{settings: &p.Settings, family: f.is, hash: f.hash}
	next, said := f.take(ctx, pr, ports, was)
	if said != nil {
		culprits, err := f.culprits(ctx, newRuleset(pr), slices.Collect(maps.Values(ports)), said)
		if err != nil {
			return err
		}
		maps.Copy(refused, culprits)
		maps.DeleteFunc(ports, func(id plan.ID, _ *plan.Port) bool { return culprits[id] != nil })
		// What was tried left chains behind.
		if was, err = f.read(ctx, f.runner); err != nil {
			return err
		}
		if next, err = f.take(ctx, pr, ports, was); err != nil {
			return err
		}
	}
	f.ruleset = next
	f.counts.only(ports)
	f.watch.done(f)
	return nil
}

// take programs ports and nothing else.
func (f *family) take(ctx context.Context, pr programmer, ports map[plan.ID]*plan.Port, was map[string]*saved) (*ruleset, error) {
	next := newRuleset(pr)
	maps.Copy(next.ports, ports)
	s := next.whole(was)
	if err := f.commit(ctx, f.runner, s); err != nil {
		return nil, &refusal{s, err}
	}
	f.counts.restarted(s.written("nat"))
	return next, nil
}

func (f *family) apply(ctx context.Context, changes []plan.Change, refused plan.Refused) error {
	if f.ruleset == nil {
		return fmt.Errorf("%s: nothing has been synced, or something failed since", f.is)
	}
	was := f.present(changes)
	said := f.bring(ctx, changes)
	if said != nil {
		f.ruleset.change(reverse(was))
		var ports []*plan.Port
		for _, c := range changes {
			if c.Is != nil {
				ports = append(ports, c.Is)
			}
		}
		culprits, err := f.culprits(ctx, f.ruleset, ports, said)
		if err != nil {
			f.ruleset = nil
			return err
		}
		maps.Copy(refused, culprits)
		changes = slices.DeleteFunc(slices.Clone(changes), func(c plan.Change) bool { return culprits[c.ID] != nil })
		if err := f.bringAll(ctx, changes); err != nil {
			f.ruleset = nil
			return err
		}
	}
	f.watch.done(f)
	return nil
}
