package l4

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
	"github.com/sallyport-ingress/sallyport/test/l4/lab"
)

// A world is the lab with a folder of objects, and the proxier that reads it.
type world struct {
	*lab.Network
	from       source
	mode       mode
	proxyName  string // of whose Services the beacon is one; see --service-proxy-name
	generation int
	objects    map[string][]any // by case
	proxier    *proxier
}

// worldPorts are those at which the world answers for what nobody took: all
// Service ports of the tables.
var worldPorts = []uint16{53, 80, 81, 443, 5000, 5001, 5002}

// newWorld makes a lab of its own for a mode, with servers on all pods. It
// starts no proxier.
func newWorld(t *testing.T, m mode) *world {
	t.Helper()
	n, err := lab.New()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("lab: %v", err)
		}
	})
	w := &world{Network: n, from: folder{t.TempDir()}, mode: m, objects: map[string][]any{}}
	for _, p := range pods {
		for _, address := range []string{p.v4, p.v6} {
			for _, port := range []uint16{8080, 9090} {
				if err := n.Echo(w.namespace(p.name), address, port); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, port := range worldPorts {
		if err := n.Echo(n.World, "::", port); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// namespace is where a place of the tables is.
func (w *world) namespace(place string) *lab.Namespace {
	return map[string]*lab.Namespace{
		"client": w.Client, "edge": w.Edge, "p1": w.P1, "p2": w.P2,
		"n2": w.N2, "n2pod": w.N2, "n2a": w.N2, "n2b": w.N2,
	}[place]
}

// sourceOf is the client address of a place, where it isn't what the route says.
func sourceOf(place string, to netip.Addr) netip.Addr {
	switch {
	case place != "n2pod":
		return netip.Addr{}
	case to.Is4():
		return netip.MustParseAddr(lab.N2A4)
	}
	return netip.MustParseAddr(lab.N2A6)
}

// run starts the proxier on the folder.
func (w *world) run(t *testing.T, args ...string) {
	t.Helper()
	w.write(t)
	w.proxier = launch(t, w.Edge, w.mode, append(w.from.args(), args...)...)
	w.inForce(t)
}

// The beacon is a Service whose port changes with each generation of the
// folder: it answers at the port of a generation once that one is programmed.
const beaconName = "beacon"

// beaconAddresses are the beacon's in both families.
var beaconAddresses = []string{"10.96.255.254", "fd00:10:96::fffe"}

func (w *world) beaconPort() uint16 { return uint16(1000 + w.generation%10000) }

// beaconTarget changes as well: Services and EndpointSlices are read apart.
func (w *world) beaconTarget() uint16 {
	if w.generation%2 == 0 {
		return 8080
	}
	return 9090
}

func (w *world) beacon() []any {
	n := newNumbers(beaconName, 0)
	var options []option
	if w.proxyName != "" {
		options = append(options, labelled(proxyNameLabel, w.proxyName))
	}
	s := service(beaconName, fmt.Sprintf("%d:%d", w.beaconPort(), w.beaconTarget()), options...)(n)
	n.services[beaconName].Spec.ClusterIP = beaconAddresses[0]
	n.services[beaconName].Spec.ClusterIPs = beaconAddresses
	return append(s, endpoints(beaconName, p1)(n)...)
}

// write makes the objects of all rows so, and a new beacon.
func (w *world) write(t *testing.T) {
	t.Helper()
	w.generation++
	all := []any{node()}
	for _, name := range slices.Sorted(maps.Keys(w.objects)) {
		all = append(all, w.objects[name]...)
	}
	w.from.put(t, all, w.beacon())
}

// apply writes the objects and waits until they are in force.
func (w *world) apply(t *testing.T) {
	t.Helper()
	w.write(t)
	w.inForce(t)
}

// inForce waits until what was written last is in force. A beacon that answers
// says that the round of its generation has begun; one that is written after
// that and answers, that this round is over with all that belongs to it.
func (w *world) inForce(t *testing.T) {
	t.Helper()
	w.seeBeacon(t)
	w.write(t)
	w.seeBeacon(t)
}

func (w *world) seeBeacon(t *testing.T) {
	t.Helper()
	for _, address := range beaconAddresses {
		to := netip.AddrPortFrom(netip.MustParseAddr(address), w.beaconPort())
		cluster.Eventually(t, "the beacon is programmed", func() error {
			if w.proxier.ended() {
				t.Fatalf("sallyport-proxier: %v while it had to run", w.proxier.cmd.ProcessState)
			}
			r := lab.Probe{From: w.P2, Network: "tcp", To: to, Wait: silence}.Send()
			if r.Outcome != lab.Answered || r.Endpoint.Port() != w.beaconTarget() {
				return errors.New(r.String())
			}
			return nil
		})
	}
}

// nodeAddresses are those that a masqueraded source may become.
var nodeAddresses = []string{
	lab.Edge4, lab.Edge4Second, lab.Edge6, "203.0.113.1", "2001:db8:e::1",
	"10.244.1.1", "fd00:10:244:1::1", "10.99.0.1", "fd00:99::1",
}

// podAt names the pod with an address.
func podAt(a netip.Addr) (pod, bool) {
	for _, p := range pods {
		if a.String() == p.v4 || a.String() == p.v6 {
			return p, true
		}
	}
	return pod{}, false
}
