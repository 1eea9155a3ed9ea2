package ipvs

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

func TestKernelZZ(t *testing.T) {
	n := newNode(t)
	d := n.start(Options{})
	p := planOf()
	for i := range 1000 {
		for _, x := range both(fmt.Sprint("s", i), plan.IPv4, func(p *plan.Port) {
			p.Frontends = []plan.Frontend{{Kind: plan.ClusterIP, Address: netip.AddrFrom4([4]byte{10, 96, byte(i / 250), byte(i%250 + 1)}), Port: 80}}
			p.Cluster = to(first, second)
		}) {
			p.Ports[x.ID] = x
		}
	}
	start := time.Now()
	d.sync(p)
	t.Log("1000 services", time.Since(start))
	start = time.Now()
	d.sync(p)
	t.Log("again", time.Since(start))
	var ends []string
	for i := range 5000 {
		ends = append(ends, fmt.Sprintf("10.244.%d.%d:80", i/250+2, i%250+1))
	}
	start = time.Now()
	d.sync(planOf(web(plan.IPv4, ends...)))
	t.Log("5000 endpoints", time.Since(start))
	start = time.Now()
	was := planOf(web(plan.IPv4, ends...))
	d.apply(changesTo(was, planOf(web(plan.IPv4, ends[1:]...)))...)
	t.Log("one less", time.Since(start))
}
