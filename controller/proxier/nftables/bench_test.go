package nftables

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// many is a plan of Services with a ClusterIP and two endpoints each.
func many(n int) *plan.Plan {
	b := builder(plan.IPv4)
	ports := make([]*plan.Port, n)
	for i := range ports {
		ports[i] = b.port(fmt.Sprintf("svc-%d", i), b.clusterIP(i, 80))
		ports[i].Cluster = b.pods(2*i%60000, 2*i%60000+1)
	}
	return planOf(settings(), ports...)
}

// BenchmarkSync programs an empty kernel, and says how many times as long that
// takes as its part of the kernel.
func BenchmarkSync(b *testing.B) {
	for _, n := range []int{10000, 30000} {
		b.Run(fmt.Sprintf("%d×2", n), func(b *testing.B) {
			private(b)
			p := many(n)
			var raw, ours time.Duration
			for b.Loop() {
				took, _, err := Raw(p)
				if err != nil {
					b.Fatal(err)
				}
				raw += took
				back := backend(b)
				begun := time.Now()
				bring(b, back, p)
				ours += time.Since(begun)
				if err := Cleanup(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(ours)/float64(raw), "×raw")
			b.ReportMetric(raw.Seconds()/float64(b.N), "raw-s/op")
			b.ReportMetric(ours.Seconds()/float64(b.N), "ours-s/op")
		})
	}
}

// BenchmarkRestart takes over a table that holds the plan already.
func BenchmarkRestart(b *testing.B) {
	private(b)
	p := many(10000)
	bring(b, backend(b), p)
	for b.Loop() {
		bring(b, backend(b), p)
	}
}

// BenchmarkApply changes one endpoint of 10,000 Services: another instead of
// one, and one more or less.
func BenchmarkApply(b *testing.B) {
	pods := builder(plan.IPv4)
	for name, sets := range map[string][2][]plan.Endpoint{
		"replaced": {pods.pods(60001, 60002), pods.pods(60001, 60003)},
		"scaled":   {pods.pods(60001, 60002), pods.pods(60001)},
		"to none":  {pods.pods(60001, 60002), nil},
	} {
		b.Run(name, func(b *testing.B) {
			private(b)
			p := many(10000)
			back := backend(b)
			bring(b, back, p)
			var one *plan.Port
			for _, one = range p.Ports {
				break
			}
			for i := 0; b.Loop(); i++ {
				next := *one
				next.Cluster = sets[i%2]
				if err := back.Apply(b.Context(), []plan.Change{{ID: one.ID, Is: &next}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkIntact(b *testing.B) {
	private(b)
	back := backend(b)
	bring(b, back, many(10000))
	for b.Loop() {
		if ok, err := back.Intact(b.Context()); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkConnections(b *testing.B) {
	private(b)
	back := backend(b)
	bring(b, back, many(10000))
	for b.Loop() {
		if _, err := back.Connections(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
