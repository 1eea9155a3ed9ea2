package iptables

import (
	"context"
	"time"
)

// A watch remembers by what it would be known that somebody touched the tables.
type watch struct {
	mark string    // what touched gave when all was well
	at   time.Time // when all chains were last written or compared
	took time.Duration
}

// Between two comparisons of all chains there is at least so many times what
// the last one took, and at most the longest time.
const (
	idleShare   = 20
	longestIdle = time.Minute
)

// untouched says whether nobody else wrote a table since all was well.
func (w *watch) untouched(f *family) bool { return w.mark != "" && touched(f) == w.mark }

// told remembers how the tables are after this process wrote some of them.
func (w *watch) told(f *family) { w.mark = touched(f) }

// toldAll remembers it after all was written.
func (w *watch) toldAll(f *family) {
	w.told(f)
	w.at, w.took = time.Now(), 0
}

// Intact says whether the kernel still holds what it was told. Each time it
// asks the kernel for a number that differs when anybody wrote a table: one
// system call. Only where it does are all chains compared, and after a minute
// in any case; but no more than a twentieth of the time goes by with that.
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
	idle := start.Sub(w.at)
	if idle < idleShare*w.took || idle < longestIdle && now != "" && now == w.mark {
		return true, nil
	}
	tables, err := f.read(ctx, f.runner)
	if err != nil {
		return false, err
	}
	if !f.ruleset.matches("nat", tables["nat"]) || !f.ruleset.matches("filter", tables["filter"]) {
		return false, nil
	}
	w.mark, w.at, w.took = now, time.Now(), time.Since(start)
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
