package main

import (
	"fmt"
	"os"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// memoryRows compare what the processes hold, the kernel's tables apart.
func (b *bench) memoryRows(s *lab.Session) []lab.Row {
	const most = 0.5
	us := b.of(s, ours)
	var rows []lab.Row
	for _, name := range rivals() {
		them := b.of(s, name)
		rss, pss := float64(us.rss)/float64(them.rss), float64(us.pss)/float64(them.pss)
		rows = append(rows, versus(fmt.Sprintf("memory at %d Services × 2 endpoints, ours ÷ %s", b.services, name), fmt.Sprintf("≤ %.1f", most), max(rss, pss), max(rss, pss) <= most,
			fmt.Sprintf("the greater of: RSS %s ÷ %s, PSS %s ÷ %s; once idle after the first sync", mb(us.rss), mb(them.rss), mb(us.pss), mb(them.pss))))
	}
	return rows
}

// memory is the process's resident and proportional set size, in bytes.
func (r *run) memory(s *lab.Session) (rss, pss int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", r.PID()))
	s.Must(err, r.who.name)
	rss, err = lab.ParseStatus(text, "Rss")
	s.Must(err, r.who.name)
	pss, err = lab.ParseStatus(text, "Pss")
	s.Must(err, r.who.name)
	return rss, pss
}
