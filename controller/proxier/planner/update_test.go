package planner

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

var web = store.Key{Namespace: "default", Name: "web"}

func sortedIDs(p *plan.Plan) []plan.ID { return slices.SortedFunc(maps.Keys(p.Ports), compareIDs) }

func only(key store.Key) map[store.Key]bool { return map[store.Key]bool{key: true} }

// TestUpdateChangesNothing: what comes again, or does not matter, keeps each
// Port the very same.
func TestUpdateChangesNothing(t *testing.T) {
	s := aSnapshot(aService(nodePort(30080), externalLocal), aSlice([]string{"10.244.1.10", "10.244.2.10"}, at(here, 0)), aNode())
	p := New(options)
	first := p.Update(s, store.Changes{}, false)
	if len(first.Changes) != 1 || !first.Settings || first.Changes[0].Was != nil || first.Changes[0].Is == nil {
		t.Fatalf("the first Update is %+v", first)
	}
	before := maps.Clone(p.Plan().Ports)
	for name, test := range map[string]struct {
		does func()
		c    store.Changes
		all  bool
	}{
		"all again":     {func() {}, store.Changes{}, true},
		"the Node":      {func() { put(s, aNode()) }, store.Changes{Nodes: true}, false},
		"the Service":   {func() { put(s, aService(nodePort(30080), externalLocal)) }, store.Changes{Services: only(web)}, false},
		"its status":    {func() {}, store.Changes{ServiceStatuses: only(web)}, false},
		"its endpoints": {func() { put(s, aSlice([]string{"10.244.2.10", "10.244.1.10"}, at(here, 1))) }, store.Changes{Endpoints: only(web)}, false},
		"somebody else": {func() {}, store.Changes{Services: only(store.Key{Name: "x"}), Endpoints: only(store.Key{Name: "y"})}, false},
	} {
		t.Run(name, func(t *testing.T) {
			test.does()
			if u := p.Update(s, test.c, test.all); !reflect.DeepEqual(u, Update{}) {
				t.Errorf("got %+v", u)
			}
			for id, port := range p.Plan().Ports {
				if before[id] != port {
					t.Errorf("%s is another one", id)
				}
			}
		})
	}
}

// TestUpdateKeepsOldPorts: a Change's Was is as it was.
func TestUpdateKeepsOldPorts(t *testing.T) {
	s := aSnapshot(aService(internalLocal), aSlice([]string{"10.244.1.10", "10.244.1.11"}, at(here, 0, 1)))
	p := New(options)
	p.Update(s, store.Changes{}, true)
	old := p.Plan().Ports[sortedIDs(p.Plan())[0]]
	copied := text(p.Plan())
	put(s, aSlice([]string{"10.244.1.12", "10.244.1.13"}, at(here, 0, 1)))
	u := p.Update(s, store.Changes{Endpoints: only(web)}, false)
	if len(u.Changes) != 1 || u.Changes[0].Was != old || u.Changes[0].Is == old {
		t.Fatalf("got %+v", u.Changes)
	}
	if diff := cmp.Diff(copied, text(&plan.Plan{Ports: map[plan.ID]*plan.Port{old.ID: old}})); diff != "" {
		t.Error(diff)
	}
}

// TestNodeChanges: what of the Node matters to Services replans them.
func TestNodeChanges(t *testing.T) {
	s := aSnapshot(
		aService(balanced("203.0.113.5"), ranges("192.0.2.0/24")),
		aSlice([]string{"10.244.2.10", "10.244.2.11"}, at(zones("z1"), 0), at(zones("z2"), 1)))
	p := New(options)
	p.Update(s, store.Changes{}, true)
	steps := []struct {
		node     *corev1.Node
		settings bool
		want     string
	}{
		{aNode(), true, " 203.0.113.5/32]\n  -> 10.244.2.10:8080\n"},
		{aNode(func(n *corev1.Node) { n.Labels = map[string]string{corev1.LabelTopologyZone: "z2"} }), false, " 203.0.113.5/32]\n  -> 10.244.2.11:8080\n"},
		{aNode(func(n *corev1.Node) { n.Labels, n.Status.Addresses = nil, n.Status.Addresses[2:] }), true, "]\n  -> 10.244.2.10:8080 10.244.2.11:8080\n"},
	}
	for i, step := range steps {
		put(s, step.node)
		u := p.Update(s, store.Changes{Nodes: true}, false)
		want := "default/web/tcp/IPv4\n  cluster 10.96.0.1:80\n  lb 203.0.113.5:80 from [192.0.2.0/24" + step.want
		if diff := cmp.Diff(want, text(p.Plan())); diff != "" || u.Settings != step.settings || len(u.Changes) != 1 {
			t.Errorf("step %d: %+v\n%s", i, u, diff)
		}
	}
}

func TestHealthChecksChange(t *testing.T) {
	with := func(s *corev1.Service) {
		balanced()(s)
		externalLocal(s)
		s.Spec.HealthCheckNodePort = 31000
	}
	s := aSnapshot(aService(with))
	p := New(options)
	if u := p.Update(s, store.Changes{}, true); !u.HealthChecks {
		t.Error("a new one is no change")
	}
	put(s, aSlice([]string{"10.244.1.10"}, at(here, 0)))
	if u := p.Update(s, store.Changes{Endpoints: only(web)}, false); !u.HealthChecks {
		t.Error("an endpoint is no change")
	}
	put(s, aSlice([]string{"10.244.1.10", "10.244.2.10"}, at(here, 0)))
	if u := p.Update(s, store.Changes{Endpoints: only(web)}, false); u.HealthChecks {
		t.Error("an endpoint elsewhere is a change")
	}
	put(s, aService())
	if u := p.Update(s, store.Changes{Services: only(web)}, false); !u.HealthChecks || len(p.Plan().HealthChecks) != 0 {
		t.Error("its end is no change")
	}
}

func TestTriggers(t *testing.T) {
	second := func(n int) time.Time { return time.Date(2026, 11, 1, 12, 0, n, 5000, time.UTC) }
	slice := func(name, at string, address string) *discoveryv1.EndpointSlice {
		return aSlice([]string{address}, of("web", name), func(s *discoveryv1.EndpointSlice) {
			s.Annotations = map[string]string{corev1.EndpointsLastChangeTriggerTime: at}
		})
	}
	stamp := func(n int) string { return second(n).Format(time.RFC3339Nano) }
	s := aSnapshot(aService(), slice("web-1", stamp(1), "10.244.2.1"))
	p := New(options)
	for i, step := range []struct {
		slices []*discoveryv1.EndpointSlice
		c      store.Changes
		all    bool
		want   []time.Time
	}{
		{nil, store.Changes{Endpoints: only(web)}, true, nil},
		{[]*discoveryv1.EndpointSlice{slice("web-1", stamp(2), "10.244.2.2")}, store.Changes{Endpoints: only(web)}, false, []time.Time{second(2)}},
		{[]*discoveryv1.EndpointSlice{slice("web-1", stamp(2), "10.244.2.3")}, store.Changes{Endpoints: only(web)}, false, nil},
		{[]*discoveryv1.EndpointSlice{slice("web-1", stamp(1), "10.244.2.4")}, store.Changes{Endpoints: only(web)}, false, nil},
		{[]*discoveryv1.EndpointSlice{slice("web-1", "yesterday", "10.244.2.4")}, store.Changes{Endpoints: only(web)}, false, nil},
		{[]*discoveryv1.EndpointSlice{slice("web-1", stamp(9), "10.244.2.5"), slice("web-2", stamp(8), "10.244.2.6")},
			store.Changes{Endpoints: only(web)}, true, []time.Time{second(8), second(9)}},
		{nil, store.Changes{Services: only(web)}, false, nil},
		{nil, store.Changes{}, true, nil},
		{[]*discoveryv1.EndpointSlice{slice("web-2", stamp(10), "10.244.2.6")}, store.Changes{Endpoints: only(web)}, false, []time.Time{second(10)}},
	} {
		for _, o := range step.slices {
			put(s, o)
		}
		got := p.Update(s, step.c, step.all).Triggers
		if !slices.EqualFunc(step.want, got, time.Time.Equal) {
			t.Errorf("step %d: got %v, want %v", i, got, step.want)
		}
	}
}

// TestSamePortSeesEveryField walks a Port's type, so that a field that is new
// in the contract can't be forgotten.
func TestSamePortSeesEveryField(t *testing.T) {
	p := planned(t, options, aService(internalLocal, balanced("203.0.113.5"), ranges("198.18.0.0/15")), aSlice([]string{"10.244.1.10"}, at(here, 0)))
	port := p.Plan().Ports[sortedIDs(p.Plan())[0]]
	lb := len(port.Frontends) - 1
	for name, test := range map[string]struct {
		fields int
		change []func(*plan.Port)
	}{
		"Port": {reflect.TypeFor[plan.Port]().NumField(), []func(*plan.Port){
			func(p *plan.Port) { p.Family = plan.IPv6 },
			func(p *plan.Port) { p.Frontends = p.Frontends[:1] },
			func(p *plan.Port) { p.Cluster = nil },
			func(p *plan.Port) { p.Local = nil },
			func(p *plan.Port) { p.Leaving = []netip.AddrPort{{}} },
			func(p *plan.Port) { p.Affinity++ },
			func(p *plan.Port) { p.Balance++ },
		}},
		"Frontend": {reflect.TypeFor[plan.Frontend]().NumField(), []func(*plan.Port){
			func(p *plan.Port) { p.Frontends[lb].Kind = plan.ExternalIP },
			func(p *plan.Port) { p.Frontends[lb].Address = p.Frontends[lb].Address.Next() },
			func(p *plan.Port) { p.Frontends[lb].Port++ },
			func(p *plan.Port) { p.Frontends[lb].Local = true },
			func(p *plan.Port) { p.Frontends[lb].Sources = prefixes("198.18.0.0/16") },
		}},
		"Endpoint": {reflect.TypeFor[plan.Endpoint]().NumField(), []func(*plan.Port){
			func(p *plan.Port) { p.Cluster[0].Address = netip.AddrPort{} },
			func(p *plan.Port) { p.Cluster[0].Weight++ },
			func(p *plan.Port) { p.Cluster[0].Local = false },
		}},
	} {
		if test.fields != len(test.change) {
			t.Errorf("%s has %d fields, and %d changes are tried", name, test.fields, len(test.change))
		}
		for i, change := range test.change {
			is := *port
			is.Frontends, is.Cluster, is.Local = slices.Clone(port.Frontends), slices.Clone(port.Cluster), slices.Clone(port.Local)
			if !samePort(port, &is) {
				t.Fatal("a copy is another one")
			}
			change(&is)
			if samePort(port, &is) {
				t.Errorf("%s: change %d is not seen", name, i)
			}
		}
	}
	nobody := *port
	nobody.Frontends = slices.Clone(port.Frontends)
	nobody.Frontends[lb].Sources = []netip.Prefix{}
	everybody := nobody
	everybody.Frontends = slices.Clone(port.Frontends)
	everybody.Frontends[lb].Sources = nil
	if samePort(&nobody, &everybody) {
		t.Error("nobody is taken for everybody")
	}
}

// many fills a snapshot with n Services of two endpoints each.
func many(n int) *store.Snapshot {
	s := aSnapshot(aNode())
	for i := range n {
		name := fmt.Sprintf("s-%05d", i)
		put(s, aService(named(name, int64(i), fmt.Sprintf("10.%d.%d.%d", 96+i>>16, i>>8&255, i&255)), nodePort(int32(1+i))))
		put(s, aSlice([]string{fmt.Sprintf("10.1%d.%d.%d", i>>16, i>>8&255, i&255), fmt.Sprintf("10.2%d.%d.%d", i>>16, i>>8&255, i&255)}, of(name, name+"-1")))
	}
	return s
}

func BenchmarkEverything30000(b *testing.B) {
	s := many(30000)
	b.ReportAllocs()
	for b.Loop() {
		New(options).Update(s, store.Changes{}, true)
	}
}

func BenchmarkEverythingAgain30000(b *testing.B) {
	s := many(30000)
	p := New(options)
	p.Update(s, store.Changes{}, true)
	b.ReportAllocs()
	for b.Loop() {
		p.Update(s, store.Changes{}, true)
	}
}

func BenchmarkOneEndpointOf30000(b *testing.B) {
	s := many(30000)
	p := New(options)
	p.Update(s, store.Changes{}, true)
	key := store.Key{Namespace: "default", Name: "s-00007"}
	two := []*discoveryv1.EndpointSlice{
		aSlice([]string{"10.1.0.1", "10.1.0.2"}, of(key.Name, "x")), aSlice([]string{"10.1.0.1", "10.1.0.3"}, of(key.Name, "x")),
	}
	c := store.Changes{Endpoints: only(key)}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Slices[key] = map[string]*discoveryv1.EndpointSlice{"x": two[i%2]}
		if len(p.Update(s, c, false).Changes) != 1 {
			b.Fatal("nothing changed")
		}
	}
}

func BenchmarkOneServiceWith5000Endpoints(b *testing.B) {
	var addresses []string
	for i := range 5000 {
		addresses = append(addresses, fmt.Sprintf("10.%d.%d.%d", i%7, i/256, i%256))
	}
	s := aSnapshot(aService(), aSlice(addresses))
	p := New(options)
	p.Update(s, store.Changes{}, true)
	b.ReportAllocs()
	for b.Loop() {
		p.Update(s, store.Changes{Endpoints: only(web)}, false)
	}
}

// BenchmarkContested: all Services want the same node port and external IP.
func BenchmarkContested10000(b *testing.B) {
	s := many(10000)
	c := store.Changes{Services: map[store.Key]bool{}}
	for key, o := range s.Services {
		externalIPs("203.0.113.5")(o)
		nodePort(30080)(o)
		c.Services[key] = true
	}
	p := New(options)
	b.ReportAllocs()
	for b.Loop() {
		p.Update(s, c, true)
		services := s.Services
		s.Services = nil
		p.Update(s, c, false)
		s.Services = services
		p.Update(s, c, false)
	}
}
