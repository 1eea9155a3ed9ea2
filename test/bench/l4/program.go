package main

import (
	"fmt"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// programRows compare the first complete sync, from caches that are in step
// until the kernel has everything, as each contestant's own metric has it. CPU
// time, which no contestant can word to its liking, stands beside it.
func (b *bench) programRows(s *lab.Session) []lab.Row {
	const least = 50
	us := b.of(s, ours)
	mine, cpu := seconds(us.syncs), seconds(us.syncCPU)
	var rows []lab.Row
	for _, name := range rivals() {
		them := b.of(s, name)
		theirs, theirCPU := seconds(them.syncs), seconds(them.syncCPU)
		reach := ""
		if name == kubeNftables {
			reach = fmt.Sprintf("≥ %d", least)
		}
		of := fmt.Sprintf("%.2f s ÷ %.3f s (%s); CPU seconds since the start, with the reading of all objects: %.1f ÷ %.1f = %.1f",
			theirs, mine, starts(us.syncs), theirCPU, cpu, theirCPU/cpu)
		rows = append(rows, versus(fmt.Sprintf("programming %d Services × 2 endpoints, %s ÷ ours", b.services, name), reach, theirs/mine, theirs/mine >= least, of))
	}
	return rows
}

func starts(all []time.Duration) string {
	if len(all) == 1 {
		return "1 start"
	}
	return fmt.Sprintf("the median of %d starts", len(all))
}

// seconds is the median.
func seconds(all []time.Duration) float64 { return lab.Quantile(all, 0.5).Seconds() }
