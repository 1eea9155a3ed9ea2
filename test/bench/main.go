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
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
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

func (b *bench) measures() lab.Measures {
	with := func(take func(*lab.Session, *bench) []lab.Row) func(*lab.Session) []lab.Row {
		return func(s *lab.Session) []lab.Row { return take(s, b) }
	}
	return lab.Measures{
		{Name: "speed", Take: with(plainSpeed)},
		{Name: "tls", Take: with(tlsSpeed)},
		{Name: "mix", Take: with(mixSpeed)},
		{Name: "metrics", Take: with(metrics)},
		{Name: "endpoints", Take: with(endpoints)},
		{Name: "ingress", Take: with(ingress)},
		{Name: "ingress-debian13", Take: with(ingressDebian13)},
		{Name: "lines", Take: with(lines)},
		{Name: "failures", Take: with(failures)},
		{Name: "websockets", Take: with(websockets)},
		{Name: "memory", Take: with(memory)},
		{Name: "start", Take: with(start)},
		{Name: "self", Take: with(self), Extra: true},
	}
}

func main() {
	b := &bench{}
	only := flag.String("only", "", "measures to take, parted by commas: "+b.measures().Names()+" (all but self without it)")
	flag.IntVar(&b.rounds, "rounds", 8, "rounds of each comparison of speed")
	flag.DurationVar(&b.load, "load", 3*time.Second, "how long a contestant is loaded in a round, in whole seconds")
	flag.DurationVar(&b.attack, "attack", time.Minute, "how long failed requests are counted")
	flag.StringVar(&b.nginx, "nginx-binary", "nginx", "this machine's nginx")
	flag.Parse()
	chosen, err := b.measures().Choose(*only)
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
func run(b *bench, chosen lab.Measures) int {
	if !cluster.Inside() {
		clean := provide(chosen)
		defer clean()
	}
	return cluster.Run(func() int {
		b.sallyport = os.Getenv(binaryVariable)
		if !chosen.TakeAll(os.Stdout, os.Stderr) {
			return 1
		}
		return 0
	})
}

func usage(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(2)
}
