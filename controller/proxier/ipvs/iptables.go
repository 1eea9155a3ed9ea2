package ipvs

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A flavour is one of the two kernel interfaces under the name of iptables.
// Their rules don't know of each other.
type flavour string

// The flavours, after the programs' names, and what the machine's own name
// "iptables" stands for.
const (
	machines flavour = ""
	legacy   flavour = "legacy"
	nft      flavour = "nft"
)

// program is "iptables", "ip6tables-legacy-restore" and so on.
func (v flavour) program(f plan.Family, suffix string) string {
	name := "iptables"
	if f == plan.IPv6 {
		name = "ip6tables"
	}
	for _, part := range []string{string(v), suffix} {
		if part != "" {
			name += "-" + part
		}
	}
	return name
}

// chooseFlavour takes what the machine's administrator chose, if this kernel
// has it.
func chooseFlavour(ctx context.Context, r runner, f plan.Family) (flavour, error) {
	var first error
	for _, v := range []flavour{machines, legacy, nft} {
		_, err := r(ctx, "", v.program(f, ""), "-w", "5", "-t", "nat", "-S", "PREROUTING")
		if err == nil {
			return v, nil
		}
		if first == nil {
			first = err
		}
	}
	return machines, first
}

// kind is legacy or nft.
func (v flavour) kind(ctx context.Context, r runner, f plan.Family) flavour {
	if v != machines {
		return v
	}
	version, err := r(ctx, "", v.program(f, ""), "--version")
	if err == nil && strings.Contains(version, "nf_tables") {
		return nft
	}
	return legacy
}

// sweepOthers sweeps the flavours that aren't used, for all families.
func sweepOthers(ctx context.Context, r runner, used map[plan.Family]flavour) error {
	for _, f := range []plan.Family{plan.IPv4, plan.IPv6} {
		for _, v := range []flavour{legacy, nft} {
			if is, ok := used[f]; ok && is.kind(ctx, r, f) == v {
				continue
			}
			if err := v.sweep(ctx, r, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// save reads a table as iptables-save prints it.
func (v flavour) save(ctx context.Context, r runner, f plan.Family, table string) (string, error) {
	return r(ctx, "", v.program(f, "save"), "-t", table)
}

// restore brings text in, one table after the other, each as one step.
func (v flavour) restore(ctx context.Context, r runner, f plan.Family, text string) error {
	_, err := r(ctx, text, v.program(f, "restore"), "-w", "5", "--noflush")
	return err
}

// holds says whether all rules are there. It does without --test, with which nft
// finds whatever it is asked for; there is nothing to commit anyhow.
func (v flavour) holds(ctx context.Context, r runner, f plan.Family, tables []tableText) bool {
	_, err := r(ctx, checkText(tables), v.program(f, "restore"), "-w", "5", "--noflush")
	return err == nil
}

// programRules writes the rules of a family, jumps only where there are none.
func programRules(ctx context.Context, r runner, v flavour, f plan.Family, tables []tableText) error {
	there := map[string]bool{}
	for _, t := range tables {
		saved, err := v.save(ctx, r, f, t.name)
		if err != nil {
			return fmt.Errorf("read table %s: %w", t.name, err)
		}
		for _, line := range strings.Split(saved, "\n") {
			there[t.name+" "+line] = true
		}
	}
	absent := func(table string, j jump) bool { return !there[table+" -A "+j.rule()] }
	if err := v.restore(ctx, r, f, restoreText(tables, absent)); err != nil {
		return fmt.Errorf("rules of %v: %w", f, err)
	}
	return nil
}

// sweep removes all chains of ours, and the jumps to them, that a flavour has.
// What can't be read isn't there: the flavour is not installed, or the kernel
// doesn't have it.
func (v flavour) sweep(ctx context.Context, r runner, f plan.Family) error {
	for _, table := range []string{"mangle", "nat", "filter"} {
		if v == legacy && !legacyTable(f, table) {
			continue
		}
		saved, err := v.save(ctx, r, f, table)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		text := removal(table, saved)
		if err != nil || text == "" {
			continue
		}
		if err := v.restore(ctx, r, f, text); err != nil {
			return fmt.Errorf("remove chains of %v from table %s: %w", f, table, err)
		}
	}
	return nil
}

// legacyTable says whether a table is there: to list it would make it.
func legacyTable(f plan.Family, table string) bool {
	path := "/proc/thread-self/net/ip_tables_names"
	if f == plan.IPv6 {
		path = "/proc/thread-self/net/ip6_tables_names"
	}
	text, err := os.ReadFile(path)
	return err == nil && slices.Contains(strings.Fields(string(text)), table)
}

// removal is the text that takes what is ours out of a saved table; "" if there
// is nothing. Chains are emptied before any is deleted, for they refer to one
// another.
func removal(table, saved string) string {
	var chains, jumps []string
	for _, line := range strings.Split(saved, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case strings.HasPrefix(words[0], ":"+chainPrefix):
			chains = append(chains, words[0][1:])
		case words[0] == "-A" && !strings.HasPrefix(words[1], chainPrefix) && toOurs(words):
			jumps = append(jumps, "-D"+strings.TrimPrefix(line, "-A"))
		}
	}
	if len(chains) == 0 && len(jumps) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "*%s\n", table)
	for _, c := range chains {
		fmt.Fprintf(&b, ":%s - [0:0]\n", c)
	}
	for _, j := range jumps {
		b.WriteString(j + "\n")
	}
	for _, c := range chains {
		fmt.Fprintf(&b, "-X %s\n", c)
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

func toOurs(words []string) bool {
	for i, w := range words[:len(words)-1] {
		if (w == "-j" || w == "-g") && strings.HasPrefix(words[i+1], chainPrefix) {
			return true
		}
	}
	return false
}
