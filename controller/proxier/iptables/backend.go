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
	"slices"
	"sync/atomic"

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
	log *slog.Logger
	v4  *family
	v6  atomic.Pointer[family] // nil where there is no IPv6
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
		b.v6.Store(&family{tools: six, runner: r, is: plan.IPv6})
	}
	return b, nil
}

// withoutIPv6 says once why IPv6 is not served, for it is not tried again.
func (b *Backend) withoutIPv6(why error) {
	b.v6.Store(nil)
	b.log.Warn("IPv6 is not served", "error", why)
}

// families are those that are served.
func (b *Backend) families() []*family {
	if six := b.v6.Load(); six != nil {
		return []*family{b.v4, six}
	}
	return []*family{b.v4}
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
		if err != nil && f.is == plan.IPv6 && unsupported(err) {
			b.withoutIPv6(err)
			continue
		}
		if err == nil {
			err = f.sync(ctx, p, refused)
		}
		failed = append(failed, err)
	}
	for _, f := range b.families() {
		f.watch.toldAll(f)
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
	// What somebody else did just before must not be taken for what this does.
	// One family's commits can be seen at the other's tables.
	untouched := map[*family]bool{}
	for _, f := range b.families() {
		untouched[f] = f.watch.untouched(f)
	}
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
	for f, was := range untouched {
		if was {
			f.watch.told(f)
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

// Rules are how many rules there are of ours in a table of a family, and how many
// of them were written the last time.
type Rules struct {
	Family         plan.Family
	Table          string
	Total, Written int
}

// Rules counts the rules of each table that is as it was told. It is for the
// goroutine that calls Sync and Apply, and reads no kernel.
func (b *Backend) Rules() []Rules {
	var all []Rules
	for _, f := range b.families() {
		if f.ruleset == nil {
			continue
		}
		for _, table := range []string{"nat", "filter"} {
			all = append(all, Rules{f.is, table, f.ruleset.rules(table), f.written[table]})
		}
	}
	return all
}

// Close does nothing: all that this mode has is in the kernel.
func (b *Backend) Close() error { return nil }
