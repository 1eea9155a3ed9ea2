// L4 turns one run on this machine into the table of what sallyport-proxier
// must reach: ratios against kube-proxy, which works on the same objects of the
// same API server, and counts of what was lost meanwhile.
//
// It may not repeat a connection that failed, leave out a figure that it does
// not like, or print a bare time where two contestants can be compared in one
// run. Each contestant has network namespaces of its own inside of a private
// network; nothing outside of that, a temporary folder and the user's cache is
// touched. The status is 0 also where a figure misses its aim: only a measure
// that could not be taken is an error.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// A bench is what all measures of a run share.
type bench struct {
	services int           // of all measures but bulk
	few      int           // to compare the time of a connect with
	bulk     int           // Services of the measure bulk
	trials   int           // of one changed EndpointSlice, ours
	changes  int           // whose CPU time is taken
	rate     int           // of those changes, a second
	rounds   int           // of the comparisons of connects
	attack   time.Duration // how long failed connections are counted

	wanted lab.Measures
	world  *world
	visits map[string]*figures // by contestant, as far as they were taken
	sparse *figures            // of ours with few Services
}

// The measures' names.
const (
	program  = "program"
	bulk     = "bulk"
	latency  = "latency"
	churn    = "churn"
	connects = "connect"
	memory   = "memory"
	failures = "failures"
)

// measures are in the table's order, but for bulk: it comes last, for it makes
// more Services than the others want.
func (b *bench) measures() lab.Measures {
	return lab.Measures{
		{Name: program, Take: b.programRows},
		{Name: latency, Take: b.latencyRows},
		{Name: churn, Take: b.churnRows},
		{Name: connects, Take: b.connectRows},
		{Name: memory, Take: b.memoryRows},
		{Name: failures, Take: b.failureRows},
		{Name: bulk, Take: b.bulkRows},
	}
}

func main() {
	b := &bench{visits: map[string]*figures{}}
	only := flag.String("only", "", "measures to take, parted by commas: "+b.measures().Names()+" (all without it)")
	flag.IntVar(&b.services, "services", 10000, "Services of all measures but bulk, which has three times as many")
	flag.IntVar(&b.trials, "trials", 100, "trials of one changed EndpointSlice (kube-proxy gets an eighth: each takes it a second)")
	flag.IntVar(&b.changes, "changes", 1000, "changes of one endpoint whose CPU time is taken")
	flag.IntVar(&b.rate, "rate", 50, "those changes a second")
	flag.IntVar(&b.rounds, "rounds", 200, "rounds of each comparison of connects")
	flag.DurationVar(&b.attack, "attack", time.Minute, "how long failed connections are counted")
	flag.Parse()
	b.few, b.bulk = 10, 3*b.services
	var err error
	b.wanted, err = b.measures().Choose(*only)
	switch {
	case err != nil:
		usage(err)
	case flag.NArg() > 0:
		usage(fmt.Errorf("%q: not a flag", flag.Arg(0)))
	case b.services < b.few || b.bulk > mostServices:
		usage(fmt.Errorf("services: %d is not from %d to %d", b.services, b.few, mostServices/3))
	case b.trials < 8 || b.changes < 1 || b.rate < 1 || b.rounds < 1 || b.attack < 10*time.Second:
		usage(fmt.Errorf("at least 8 trials, one change, one a second, one round and 10 seconds of attack"))
	}
	os.Exit(b.run())
}

// run builds what is needed while there is a network, and measures where there
// is none but a private one.
func (b *bench) run() int {
	if !cluster.Inside() {
		clean := provide()
		defer clean()
	}
	return cluster.Run(func() int {
		ok := false
		err := lab.Attempt("l4", os.Stderr, func(s *lab.Session) {
			b.world = newWorld(s)
			ok = b.wanted.TakeAll(os.Stdout, os.Stderr)
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		if err != nil || !ok {
			return 1
		}
		return 0
	})
}

func usage(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(2)
}
