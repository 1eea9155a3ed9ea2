package iptables

import (
	"context"
	"time"
)

// A watch remembers by what it would be known that somebody touched the tables.
type watch struct {
	mark    string    // what touched gave when all was well
	scanned time.Time // when the tables were last compared
	took    time.Duration
}

// Between two comparisons of all chains, idle time is so many times what the
// last one took, and there is one after the longest time whatever happens.
const (
	idleShare   = 20
	longestIdle = time.Minute
)

// told remembers how the tables are after this process wrote them.
func (w *watch) told(f *family) { w.mark = touched(f) }

// Intact says whether the kernel still holds what it was told. Each time it
// asks the kernel for a number that differs when anybody wrote a table: one
// system call. Only where it does, all chains are compared, and after a minute
// in any case.
func (b *Backend) Intact(ctx context.Context) (bool, error) {
	for _, f := range b.families() {
		if f.ruleset == nil {
			return false, nil
		}
		well, err := f.intact(ctx)
		if !well || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (f *family) intact(ctx context.Context) (bool, error) {
	now := touched(f)
	w, start := &f.watch, time.Now()
	idle := start.Sub(w.scanned)
	if idle < longestIdle && (now != "" && now == w.mark || idle < idleShare*w.took) {
		return true, nil
	}
	tables, err := f.read(ctx, f.runner)
	if err != nil {
		return false, err
	}
	if !f.ruleset.matches("nat", tables["nat"]) || !f.ruleset.matches("filter", tables["filter"]) {
		return false, nil
	}
	w.mark, w.scanned, w.took = now, start, time.Since(start)
	return true, nil
}

// matches says whether a table has each chain with as many rules as it should,
// no other of ours, and each jump.
func (s *ruleset) matches(table string, now *saved) bool {
	if now == nil {
		return false
	}
	for _, h := range hooks() {
		if h.table == table && now.jumps[h.String()] == 0 {
			return false
		}
	}
	found, same := 0, true
	s.each(table, func(c chain) {
		rules, there := now.ours[c.name]
		same = same && there && rules == len(c.rules)
		found++
	})
	return same && found == len(now.ours)
}

// touched is what differs when anybody wrote a table, or "" where that cannot
// be asked. For legacy tables it is how many rules both have and how large they
// are; for nf_tables the number of its last commit.
func touched(f *family) string {
	ask := tableSizes
	if f.kind == flavourNft {
		ask = generation
	}
	mark, err := ask(f.is)
	if err != nil {
		return ""
	}
	return mark
}
