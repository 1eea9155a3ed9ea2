package l4

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
	"github.com/sallyport-ingress/sallyport/test/l4/lab"
	"github.com/sallyport-ingress/sallyport/test/uml"
)

// apiAddress is the API server's, and that of what stands before it.
const apiAddress = "10.244.255.252/30"

// wiresMade numbers the wires from edges to the control plane.
var wiresMade atomic.Int32

// readFrom makes a world read from a control plane.
func (w *world) readFrom(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	here, err := lab.Here()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close() })
	if _, err := w.Reach(here, apiAddress, int(wiresMade.Add(1))); err != nil {
		t.Fatalf("lab: %v", err)
	}
	l := newLive(t, c)
	w.from = l
	t.Cleanup(func() { l.wipe(t) })
}

func onCluster(t *testing.T, c *cluster.Cluster, m mode) *world {
	t.Helper()
	w := newWorld(t, m)
	w.readFrom(t, c)
	return w
}

// The table's last group again, which has most of it, its objects from a real API server, which has
// its own opinion of what a Service looks like.
func TestPacketsFromAPIServer(t *testing.T) {
	if uml.Inside() {
		t.Skip("reason: where objects come from is the same in all modes; it is tested outside")
	}
	eachMode(t, func(t *testing.T, m mode) {
		// Each mode has a control plane of its own: all write the same objects.
		w := onCluster(t, cluster.Start(t), m)
		all := groups()
		g := all[len(all)-1]
		g.rows = slices.DeleteFunc(g.rows, func(r row) bool { return r.hostile })
		w.group(t, g)
	})
}

// The API server goes away and comes back: what was programmed serves, and
// what changed meanwhile follows.
func TestAPIServerGoesAway(t *testing.T) {
	t.Parallel()
	if uml.Inside() {
		t.Skip("reason: as for TestPacketsFromAPIServer")
	}
	needRoot(t)
	c := cluster.Start(t)
	w := onCluster(t, c, nftables)
	r := within(w, storyService, endpoints("web", p1, n2a))
	r.run(t, clusterCIDR...)
	load := r.startLoad(t, "client tcp vip:80,primary:80 = p1 n2a\np2 tcp,udp vip6:80 = p1 n2a")
	load.pass(t, 100)
	c.StopAPIServer()
	load.pass(t, 500)
	if status, body, err := get(r.Edge, "http://127.0.0.1:10256/healthz"); status != 200 {
		t.Errorf("without the API server /healthz is %d %s, %v", status, body, err)
	}
	if err := c.StartAPIServer(); err != nil {
		t.Fatal(err)
	}
	r.make(step{objects: []thing{storyService, endpoints("web", n2a, n2b)}})
	r.apply(t)
	load.pass(t, 100)
	load.none(t)
	r.expect(t, "client,p2,edge tcp,udp all:80 = n2a n2b")
}

// wipe removes what a test has written.
func (l *live) wipe(t *testing.T) {
	for key, o := range l.all {
		if err := l.remove(context.Background(), o); err != nil {
			t.Errorf("API server: %s: %v", key, fmt.Errorf("wipe: %w", err))
		}
	}
}
