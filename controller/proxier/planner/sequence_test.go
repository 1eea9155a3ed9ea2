package planner

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// A world is a small cluster that changes at random, with so few names and
// addresses that everybody is in everybody's way.
type world struct {
	*rand.Rand
	s *store.Snapshot
}

func newWorld(seed uint64) *world {
	return &world{rand.New(rand.NewPCG(seed, 1)), aSnapshot()}
}

func pick[T any](w *world, from ...T) T { return from[w.IntN(len(from))] }

func (w *world) some(most int, from ...string) []string {
	var all []string
	for range w.IntN(most + 1) {
		all = append(all, pick(w, from...))
	}
	return all
}

// addresses are good and bad ones, ClusterIPs among them.
var addresses = []string{
	"10.96.0.1", "10.96.0.2", "10.96.0.3", "fd00:96::1", "fd00:96::2", "203.0.113.1", "203.0.113.2", "2001:db8::1",
	"192.0.2.11", "127.0.0.1", "10.96.0.01", "::ffff:10.96.0.1", "nonsense", "",
}

func (w *world) service(name string) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: name, UID: types.UID(pick(w, "", "u1", "u2")), CreationTimestamp: metav1.Unix(int64(w.IntN(4)), 0),
	}}
	s.Spec.Type = pick(w, corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeLoadBalancer,
		corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeExternalName, "Odd")
	s.Spec.ClusterIPs = pick(w, []string{"10.96.0.1"}, []string{"10.96.0.2"}, []string{"10.96.0.3", "fd00:96::1"}, []string{"fd00:96::2"},
		[]string{"10.96.0.01"}, []string{"None"}, []string{"10.96.0.1", "fd00:96::2"}, nil)
	if len(s.Spec.ClusterIPs) > 0 {
		s.Spec.ClusterIP = s.Spec.ClusterIPs[0]
	}
	if w.IntN(8) == 0 {
		s.Labels = map[string]string{pick(w, store.LabelServiceProxyName, corev1.IsHeadlessService): pick(w, "", "edge")}
	}
	if w.IntN(8) == 0 {
		s.Annotations = map[string]string{pick(w, annotationBalance, corev1.AnnotationLoadBalancerSourceRangesKey): pick(w, "maglev", "x", "192.0.2.0/24,::/0")}
	}
	s.Spec.ExternalIPs = w.some(3, addresses...)
	for _, ip := range w.some(3, addresses...) {
		s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: ip})
	}
	s.Spec.LoadBalancerSourceRanges = w.some(2, "192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32", "bad")
	s.Spec.ExternalTrafficPolicy = pick(w, corev1.ServiceExternalTrafficPolicyLocal, corev1.ServiceExternalTrafficPolicyCluster)
	s.Spec.InternalTrafficPolicy = pick(w, nil, new(corev1.ServiceInternalTrafficPolicyLocal))
	s.Spec.HealthCheckNodePort = pick(w, int32(0), 30001, 30003, 70000)
	s.Spec.SessionAffinity = pick(w, "", corev1.ServiceAffinityClientIP)
	for range w.IntN(4) {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{
			Name: pick(w, "", "a", "b"), Protocol: pick(w, corev1.ProtocolTCP, corev1.ProtocolUDP, "ODD"),
			Port: pick(w, int32(80), 80, 443, 0), NodePort: pick(w, int32(0), 30001, 30002, 65536),
		})
	}
	return s
}

func (w *world) slice(service, name string) *discoveryv1.EndpointSlice {
	s := aSlice(w.some(4, "10.244.1.1", "10.244.1.2", "10.244.2.1", "fd00:244::1", "fd00:244::2", "127.0.0.1", "bad"), of(service, name))
	s.AddressType = pick(w, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6, discoveryv1.AddressTypeFQDN)
	s.Ports[0].Name = pick(w, new(""), new("a"), new("b"), nil)
	s.Annotations = map[string]string{annotationWeight: pick(w, "1", "5", "0")}
	for i := range s.Endpoints {
		at(pick(w, here, notReady, draining, zones("z1"), zones("z2"), nodes("n1"), func(*discoveryv1.Endpoint) {}), i)(s)
		at(pick(w, here, zones("z1"), func(*discoveryv1.Endpoint) {}), i)(s)
	}
	return s
}

// step changes a few objects and says so as the store would.
func (w *world) step() store.Changes {
	c := store.Changes{Services: map[store.Key]bool{}, Endpoints: map[store.Key]bool{}, ServiceStatuses: map[store.Key]bool{}}
	for range 1 + w.IntN(3) {
		name := pick(w, "a", "b", "c", "d", "e")
		key := store.Key{Namespace: "default", Name: name}
		switch w.IntN(8) {
		case 0:
			delete(w.s.Services, key)
			c.Services[key] = true
		case 1, 2, 3:
			put(w.s, w.service(name))
			c.Services[key] = true
		case 4:
			if s := w.s.Services[key]; s != nil {
				s = s.DeepCopy()
				s.Status = w.service(name).Status
				put(w.s, s)
				c.ServiceStatuses[key] = true
			}
		case 5:
			delete(w.s.Slices[key], name+pick(w, "-x", "-y"))
			c.Endpoints[key] = true
		case 6:
			put(w.s, w.slice(name, name+pick(w, "-x", "-y")))
			c.Endpoints[key] = true
		default:
			c.Nodes = true
			delete(w.s.Nodes, "n1")
			if w.IntN(3) > 0 {
				put(w.s, aNode(func(n *corev1.Node) {
					n.Labels[corev1.LabelTopologyZone] = pick(w, "z1", "z2")
					n.Status.Addresses = n.Status.Addresses[w.IntN(4):]
				}))
			}
		}
	}
	return c
}

// FuzzSequences: any sequence of changes, each applied alone, gives the plan
// that planning from nothing gives.
func FuzzSequences(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed, uint8(50))
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps uint8) {
		w := newWorld(seed)
		o := options
		o.NodePortAddresses = pick(w, nil, []string{primary})
		o.ServiceProxyName = pick(w, "", "", "", "edge")
		p := New(o)
		mirror := map[plan.ID]*plan.Port{}
		for i := range int(steps) {
			c := w.step()
			u := p.Update(w.s, c, w.IntN(20) == 0)
			fresh := New(o)
			fresh.Update(w.s, store.Changes{}, true)
			same(t, fmt.Sprintf("step %d", i), fresh, p)
			holds(t, p.Plan())
			follow(t, mirror, u.Changes)
			if !maps.Equal(mirror, p.Plan().Ports) {
				t.Fatalf("step %d: the changes do not lead to the plan", i)
			}
		}
	})
}

func same(t *testing.T, step string, want, got *Planner) {
	t.Helper()
	if diff := cmp.Diff(want.Plan(), got.Plan(), compareAddrs, comparePrefixes, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Fatalf("%s: plan (-from nothing +step by step):\n%s", step, diff)
	}
	if diff := cmp.Diff(want.Problems(), got.Problems()); diff != "" {
		t.Fatalf("%s: problems (-from nothing +step by step):\n%s", step, diff)
	}
	if want.Eligible() != got.Eligible() {
		t.Fatalf("%s: eligible is %t", step, got.Eligible())
	}
}

// follow does to ports what changes say.
func follow(t *testing.T, ports map[plan.ID]*plan.Port, changes []plan.Change) {
	t.Helper()
	if !slices.IsSortedFunc(changes, func(a, b plan.Change) int { return compareIDs(a.ID, b.ID) }) {
		t.Fatal("changes are not sorted")
	}
	seen := map[plan.ID]bool{}
	for _, c := range changes {
		switch {
		case seen[c.ID]:
			t.Fatalf("%s changes twice", c.ID)
		case ports[c.ID] != c.Was:
			t.Fatalf("%s was another port", c.ID)
		case c.Was == nil && c.Is == nil:
			t.Fatalf("%s changes from nothing to nothing", c.ID)
		case c.Was != nil && c.Is != nil && samePort(c.Was, c.Is):
			t.Fatalf("%s does not change", c.ID)
		}
		seen[c.ID] = true
		if c.Is == nil {
			delete(ports, c.ID)
		} else {
			ports[c.ID] = c.Is
		}
	}
}

// holds checks what a plan promises of its ports.
func holds(t *testing.T, p *plan.Plan) {
	t.Helper()
	type front struct {
		protocol plan.Protocol
		family   plan.Family
		at       netip.AddrPort
	}
	taken := map[front]plan.ID{}
	clusterIPs := map[netip.Addr]string{}
	for id, port := range p.Ports {
		if id != port.ID || len(port.Frontends) == 0 || port.Affinity < 0 || port.Affinity > 24*time.Hour {
			t.Fatalf("%s is not a port: %+v", id, port)
		}
		asksLocal := false
		for i, f := range port.Frontends {
			at := front{id.Protocol, id.Family, netip.AddrPortFrom(f.Address, f.Port)}
			if by, twice := taken[at]; twice {
				t.Fatalf("%s and %s have %v", by, id, at)
			}
			taken[at] = id
			asksLocal = asksLocal || f.Local
			if f.Kind == plan.ClusterIP {
				clusterIPs[f.Address] = id.Name
			}
			if i > 0 && (port.Frontends[i-1].Kind > f.Kind || port.Frontends[i-1].Kind == f.Kind && !port.Frontends[i-1].Address.Less(f.Address)) {
				t.Fatalf("%s: frontends are not sorted", id)
			}
			if f.Kind != plan.NodePort && plan.FamilyOf(f.Address) != id.Family || f.Port == 0 || f.Sources != nil && f.Kind != plan.LoadBalancerIP {
				t.Fatalf("%s has %+v", id, f)
			}
		}
		for _, pool := range [][]plan.Endpoint{port.Cluster, port.Local} {
			for i, e := range pool {
				if i > 0 && pool[i-1].Address.Compare(e.Address) >= 0 || e.Weight < 1 || e.Weight > plan.MaxWeight || plan.FamilyOf(e.Address.Addr()) != id.Family {
					t.Fatalf("%s has %+v", id, pool)
				}
			}
		}
		if len(port.Local) > 0 && !asksLocal {
			t.Fatalf("%s has local endpoints for nobody", id)
		}
	}
	for id, port := range p.Ports {
		for _, f := range port.Frontends {
			if owner := clusterIPs[f.Address]; f.Kind > plan.NodePort && owner != "" && owner != id.Name {
				t.Fatalf("%s has %s's ClusterIP %s", id, owner, f.Address)
			}
		}
	}
}
