// Bench turns one run on this machine into the table of what Sallyport must
// reach: ratios of CPU time against a hand-written nginx, percentiles of how
// fast a change goes live, and counts of what was lost meanwhile.
//
// It may not repeat a request that failed, leave out a figure that it does not
// like, or print a bare time where two contestants can be compared in one run.
// It touches nothing outside of its own namespaces, a temporary folder and a
// folder in the user's cache. The status is 0 also where a figure misses its
// aim: only a measure that could not be taken is an error.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// A bench is what all measures of a run share.
type bench struct {
	sallyport string        // the product's binary; "" where it does not build
	nginx     string        // this machine's nginx
	rounds    int           // of each comparison
	load      time.Duration // of one contestant in one round
	attack    time.Duration // how long failed requests are counted
}

// A measure is one way to take rows of the table.
type measure struct {
	name  string
	take  func(s *session, b *bench) []row
	extra bool // taken only when it is asked for by name
}

func measures() []measure {
	return []measure{
		{name: "speed", take: plainSpeed},
		{name: "tls", take: tlsSpeed},
		{name: "endpoints", take: endpoints},
		{name: "ingress", take: ingress},
		{name: "ingress-debian13", take: ingressDebian13},
		{name: "lines", take: lines},
		{name: "failures", take: failures},
		{name: "websockets", take: websockets},
		{name: "memory", take: memory},
		{name: "self", take: self, extra: true},
	}
}

func main() {
	b := &bench{}
	only := flag.String("only", "", "measures to take, parted by commas: "+names()+" (all but self without it)")
	flag.IntVar(&b.rounds, "rounds", 8, "rounds of each comparison of speed")
	flag.DurationVar(&b.load, "load", 3*time.Second, "how long a contestant is loaded in a round, in whole seconds")
	flag.DurationVar(&b.attack, "attack", time.Minute, "how long failed requests are counted")
	flag.StringVar(&b.nginx, "nginx-binary", "nginx", "this machine's nginx")
	flag.Parse()
	chosen, err := choose(*only)
	switch {
	case err != nil:
		usage(err)
	case flag.NArg() > 0:
		usage(fmt.Errorf("%q: not a flag", flag.Arg(0)))
	case b.rounds < 1 || b.load < time.Second || b.attack < time.Second:
		usage(fmt.Errorf("at least one round, and one second of load and of attack"))
	}
	os.Exit(run(b, chosen))
}

// run builds what is needed while there is a network, and measures where there
// is none but a private one.
func run(b *bench, chosen []measure) int {
	if !cluster.Inside() {
		clean := provide(chosen)
		defer clean()
	}
	return cluster.Run(func() int {
		b.sallyport = os.Getenv(binaryVariable)
		return takeAll(b, chosen)
	})
}

func takeAll(b *bench, chosen []measure) int {
	var rows []row
	status := 0
	for _, m := range chosen {
		var taken []row
		err := attempt(m.name, os.Stderr, func(s *session) { taken = m.take(s, b) })
		if err != nil {
			taken = append(taken, unmeasured(m.name, err))
			status = 1
		}
		for _, r := range taken { // a run of minutes that is cut short has said something
			fmt.Fprintf(os.Stderr, "%s: %s: %s\n", m.name, r.measure, strings.TrimSpace(r.measured+" "+string(r.verdict)))
		}
		rows = append(rows, taken...)
	}
	if err := printTable(os.Stdout, rows); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return status
}

// choose gives the measures of a list of names, in the table's order.
func choose(only string) ([]measure, error) {
	all := measures()
	if only == "" {
		return slices.DeleteFunc(all, func(m measure) bool { return m.extra }), nil
	}
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if !slices.ContainsFunc(all, func(m measure) bool { return m.name == name }) {
			return nil, fmt.Errorf("%q: no such measure: want some of %s", name, names())
		}
	}
	return slices.DeleteFunc(all, func(m measure) bool { return !slices.Contains(wanted, m.name) }), nil
}

func names() string {
	var all []string
	for _, m := range measures() {
		all = append(all, m.name)
	}
	return strings.Join(all, ", ")
}

func usage(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(2)
}
