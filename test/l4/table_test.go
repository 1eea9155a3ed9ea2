package l4

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport-ingress/sallyport/test/l4/lab"
)

// A row is one case of the table: objects, and what becomes of packets.
type row struct {
	name  string
	steps []step
	// refused by a real API server, and so for folders alone.
	hostile bool
}

// A step replaces the objects of its row, and then sends packets.
type step struct {
	objects []thing
	packets string
	also    func(t *testing.T, r *running)
}

// one is a row of one step.
func one(name, packets string, objects ...thing) row {
	return row{name: name, steps: []step{{objects: objects, packets: packets}}}
}

// A running row keeps what its steps share.
type running struct {
	*world
	n     *numbers
	flows map[string]*lab.Flow
	seen  map[string]string
}

// A group is rows that run at once, on one start of the proxier.
type group struct {
	name      string
	flags     []string
	rows      []row
	proxyName string // that the flags name
}

// clusterCIDR are the flags by which local pods are told in most groups.
var clusterCIDR = []string{"--cluster-cidr=10.244.1.0/24,fd00:10:244:1::/64"}

// groups are the whole table.
func groups() []group {
	var most []row
	for _, rows := range [][]row{
		frontendRows(), emptyRows(), policyRows(), endpointRows(), topologyRows(),
		balanceRows(), affinityRows(), changeRows(), flowRows(), hostileRows(), healthRows(),
	} {
		most = append(most, rows...)
	}
	return append(flagGroups(), group{name: "most", flags: clusterCIDR, rows: most})
}

// TestPackets is the table, in each mode. The groups follow each other on the
// same node: each start takes over what the last one left.
func TestPackets(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		w := newWorld(t, m)
		for _, g := range groups() {
			t.Run(g.name, func(t *testing.T) { w.group(t, g) })
		}
	})
}

// TestBridgeFilter is the part of the table that pods are in, on a node whose
// bridge passes what it forwards through the rules of IP as well.
func TestBridgeFilter(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		w := newWorld(t, m)
		if err := w.FilterBridge(); errors.Is(err, fs.ErrNotExist) {
			t.Skip("reason: this kernel has no br_netfilter: modprobe br_netfilter")
		} else if err != nil {
			t.Fatal(err)
		}
		rows := slices.Concat(frontendRows(), emptyRows(), policyRows(), affinityRows(), flowRows())
		w.group(t, group{name: "bridge", flags: clusterCIDR, rows: rows})
	})
}

func (w *world) group(t *testing.T, g group) {
	t.Helper()
	// For one who looks for a fault in some rows alone.
	if p := os.Getenv("SALLYPORT_L4_ROWS"); p != "" {
		some := regexp.MustCompile(p)
		g.rows = slices.DeleteFunc(g.rows, func(r row) bool { return !some.MatchString(r.name) })
	}
	rows := make([]*running, len(g.rows))
	steps := 0
	clear(w.objects)
	w.proxyName = g.proxyName
	for i, r := range g.rows {
		rows[i] = &running{world: w, n: newNumbers(fmt.Sprintf("row-%d", i), i), flows: map[string]*lab.Flow{}, seen: map[string]string{}}
		steps = max(steps, len(r.steps))
	}
	defer func() {
		for _, r := range rows {
			for _, f := range r.flows {
				f.Close()
			}
		}
	}()
	for i := range steps {
		for k, r := range g.rows {
			if i < len(r.steps) {
				rows[k].make(r.steps[i])
			}
		}
		if i == 0 {
			w.run(t, g.flags...)
		} else {
			w.apply(t)
		}
		w.step(t, g.rows, rows, i)
	}
	w.proxier.stop(t)
	if g.proxyName != "" {
		// What serves a name of its own is not the next one's to take over: it would
		// go on refusing what it knew no port of.
		if code, _, stderr := toEnd(t, w.Edge, "--cleanup"); code != 0 {
			t.Fatalf("--cleanup: status %d\n%s", code, stderr)
		}
	}
}

// make replaces the row's objects.
func (r *running) make(s step) {
	var all []any
	for _, thing := range s.objects {
		all = append(all, thing(r.n)...)
	}
	r.objects[r.n.namespace] = all
}

// step sends the packets of all rows' i-th steps at once.
func (w *world) step(t *testing.T, rows []row, states []*running, i int) {
	t.Helper()
	findings := make([][]error, len(rows))
	var all []packet
	var of []int
	for k, r := range rows {
		if i >= len(r.steps) {
			continue
		}
		packets, err := parsePackets(r.steps[i].packets, w.mode, states[k].n)
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		for _, p := range packets {
			all, of = append(all, p), append(of, k)
		}
	}
	for k, err := range w.send(all) {
		findings[of[k]] = append(findings[of[k]], err)
	}
	for k, r := range rows {
		if i >= len(r.steps) {
			continue
		}
		name := r.name
		if i > 0 {
			name = fmt.Sprintf("%s, step %d", name, i+1)
		}
		t.Run(name, func(t *testing.T) {
			if wrong := lines(findings[k]); wrong != "" {
				t.Errorf("%d packets:%s", strings.Count(wrong, "\n"), wrong)
			}
			if r.steps[i].also != nil {
				r.steps[i].also(t, states[k])
			}
		})
	}
}

// to gives the address of a place, such as "vip:80".
func (r *running) to(t *testing.T, place, network string) []packet {
	t.Helper()
	all, err := parsePackets(fmt.Sprintf("client %s %s = p1", network, place), r.mode, r.n)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ask sends one probe from a further address of the client, 0 being the
// ordinary one, and gives the name of who answered.
func (r *running) ask(t *testing.T, i int, network, place string) string {
	t.Helper()
	p := r.to(t, place, network)[0]
	q := r.probe(p)
	if a4, a6 := lab.Further(i); p.to.Addr().Is4() {
		q.Source = a4
	} else {
		q.Source = a6
	}
	got := q.Send()
	if got.Outcome != lab.Answered {
		t.Fatalf("%s %s from %v: %v", network, place, q.Source, got)
	}
	return endpointName(got.Endpoint)
}

// flow opens a flow that lasts over steps, or gives it again.
func (r *running) flow(t *testing.T, from, network, place string) *lab.Flow {
	t.Helper()
	key := from + " " + network + " " + place
	if f := r.flows[key]; f != nil {
		return f
	}
	p := r.to(t, place, network)[0]
	p.from = from
	f, err := r.probe(p).Open()
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	r.flows[key] = f
	return f
}

// pause waits for real time to pass, where that is what is tested.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// only makes a Service of one family.
func only(family corev1.IPFamily) option {
	return func(_ *numbers, s *corev1.Service) {
		policy := corev1.IPFamilyPolicySingleStack
		i := 0
		if family == corev1.IPv6Protocol {
			i = 1
		}
		s.Spec.IPFamilyPolicy, s.Spec.IPFamilies = &policy, []corev1.IPFamily{family}
		s.Spec.ClusterIP = s.Spec.ClusterIPs[i]
		s.Spec.ClusterIPs = s.Spec.ClusterIPs[i : i+1]
	}
}
