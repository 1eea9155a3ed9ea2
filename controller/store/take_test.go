package store

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

func bareStore() *Store {
	return &Store{pending: newPending(), snapshot: newSnapshot(), owners: map[Key]Key{}}
}

func key(namespace, name string) Key { return Key{Namespace: namespace, Name: name} }

func ingress(host, version string) *networkingv1.Ingress {
	return &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "web", ResourceVersion: version, UID: types.UID("u1")},
		Spec:       networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: host}}},
	}
}

func slice(name, service, version string, addresses ...string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, ResourceVersion: version},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: addresses}},
	}
	if service != "" {
		s.Labels = map[string]string{discoveryv1.LabelServiceName: service}
	}
	return s
}

func TestTakeTellsOnlyWhatChanged(t *testing.T) {
	again := ingress("x.example.org", "2")
	again.Generation = 7
	withStatus := ingress("x.example.org", "3")
	withStatus.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}
	reborn := ingress("x.example.org", "4")
	reborn.UID = "u2"
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "s"}}
	withAddress := service.DeepCopy()
	withAddress.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}

	steps := []struct {
		name string
		put  []metav1.Object
		want Changes
	}{
		{"nothing", nil, Changes{}},
		{"new", []metav1.Object{ingress("x.example.org", "1")}, Changes{Ingresses: map[Key]bool{key("a", "web"): true}}},
		{"the same once more", []metav1.Object{ingress("x.example.org", "1")}, Changes{}},
		{"a newer version, the same content", []metav1.Object{again}, Changes{}},
		{"changed and changed back", []metav1.Object{ingress("y.example.org", "5"), ingress("x.example.org", "6")}, Changes{}},
		{"its status alone", []metav1.Object{withStatus}, Changes{Statuses: true}},
		{"made anew", []metav1.Object{reborn}, Changes{Ingresses: map[Key]bool{key("a", "web"): true}}},
		{"a Service", []metav1.Object{service}, Changes{Services: map[Key]bool{key("a", "s"): true}}},
		{"its status alone", []metav1.Object{withAddress}, Changes{Statuses: true, ServiceStatuses: map[Key]bool{key("a", "s"): true}}},
		{"a class", []metav1.Object{&networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "nginx"}}}, Changes{Classes: true}},
		{"a kind that is not read", []metav1.Object{&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}}}, Changes{}},
	}
	s := bareStore()
	for _, step := range steps {
		for _, o := range step.put {
			s.pending.put(o)
		}
		snapshot, got := s.Take()
		if got.Empty() != (len(got.Since) == 0) {
			t.Errorf("%s: there are times of %v", step.name, got.Since)
		}
		got.Since = nil
		if d := cmp.Diff(step.want, got); d != "" {
			t.Errorf("%s: (-want +got)\n%s", step.name, d)
		}
		if len(step.put) > 0 && step.name == "its status alone" && !got.Empty() {
			t.Errorf("%s: a status is something to build", step.name)
		}
		if n := len(step.put); n > 0 {
			if in, ok := step.put[n-1].(*networkingv1.Ingress); ok && snapshot.Ingresses[key("a", "web")] != in {
				t.Errorf("%s: the snapshot does not hold the newest object", step.name)
			}
		}
	}
}

func TestTakeMovesSlicesBetweenServices(t *testing.T) {
	type set = map[Key]bool
	one, two := key("a", "one"), key("a", "two")
	gone := func(p *pending) { p.remove(ref{endpointSlices, key("a", "s1")}) }
	put := func(s *discoveryv1.EndpointSlice) func(*pending) { return func(p *pending) { p.put(s) } }
	steps := []struct {
		name   string
		does   func(*pending)
		want   set
		slices map[Key]int
	}{
		{"gone before it came", gone, nil, map[Key]int{}},
		{"without a Service", put(slice("s1", "", "1", "10.0.0.1")), nil, map[Key]int{}},
		{"of one", put(slice("s1", "one", "2", "10.0.0.1")), set{one: true}, map[Key]int{one: 1}},
		{"of one, a second", put(slice("s2", "one", "3", "10.0.0.2")), set{one: true}, map[Key]int{one: 2}},
		{"moved to two", put(slice("s1", "two", "4", "10.0.0.1")), set{one: true, two: true}, map[Key]int{one: 1, two: 1}},
		{"without a Service again", put(slice("s1", "", "5", "10.0.0.1")), set{two: true}, map[Key]int{one: 1}},
		{"a relist", put(slice("s2", "one", "3", "10.0.0.2")), nil, map[Key]int{one: 1}},
		{"back, and gone before anyone looked", func(p *pending) { put(slice("s1", "two", "6", "10.0.0.1"))(p); gone(p) }, nil, map[Key]int{one: 1}},
		{"the last of one", func(p *pending) { p.remove(ref{endpointSlices, key("a", "s2")}) }, set{one: true}, map[Key]int{}},
	}
	s := bareStore()
	for _, step := range steps {
		step.does(s.pending)
		snapshot, c := s.Take()
		if d := cmp.Diff(step.want, c.Endpoints); d != "" {
			t.Errorf("%s: changes (-want +got)\n%s", step.name, d)
		}
		counts := map[Key]int{}
		for service, all := range snapshot.Slices {
			counts[service] = len(all)
		}
		if d := cmp.Diff(step.slices, counts); d != "" {
			t.Errorf("%s: slices (-want +got)\n%s", step.name, d)
		}
	}
	if len(s.owners) != 0 {
		t.Errorf("owners of slices that are gone are kept: %v", s.owners)
	}
}

func TestUnwantedLeavesWithoutAChange(t *testing.T) {
	s := bareStore()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "tls"}}
	r, _ := refOf(secret)
	s.pending.put(secret)
	s.pending.problem("x", []model.Problem{{Reason: "bad"}})
	s.pending.resolve("db.example.org", &Resolution{Err: noSuchName})
	s.Take()
	s.pending.forget(r, "x")
	s.pending.forgetName("db.example.org")
	snapshot, c := s.Take()
	if len(c.Secrets) != 0 || len(c.Addresses) != 0 {
		t.Errorf("what nobody wants changed: %+v", c)
	}
	if len(snapshot.Secrets)+len(snapshot.Problems)+len(snapshot.Addresses) != 0 {
		t.Errorf("what nobody wants is still there: %+v", snapshot)
	}
}

func TestChangedIsOneSignal(t *testing.T) {
	p := newPending()
	for range 100 {
		p.put(ingress("x", "1")) // would block if signals queued up
	}
	<-p.changed
	select {
	case <-p.changed:
		t.Error("a second signal for what can be taken at once")
	default:
	}
}

// A change is as old as the first news of it, however often the object changed
// before somebody looked.
func TestChangesAreAsOldAsTheirFirstNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bareStore()
		start := time.Now()
		step := func(o metav1.Object) {
			s.pending.put(o)
			time.Sleep(time.Second)
		}
		step(ingress("x.example.org", "1"))
		step(slice("s1", "one", "1", "10.0.0.1"))
		step(slice("s2", "two", "1", "10.0.0.1"))
		step(ingress("y.example.org", "2"))
		_, c := s.Take()
		want := map[string]time.Time{"Ingress": start, "EndpointSlice": start.Add(time.Second)}
		if d := cmp.Diff(want, c.Since); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
		step(slice("s1", "one", "1", "10.0.0.1")) // as it is
		step(slice("s2", "one", "2", "10.0.0.1")) // of another Service
		s.pending.remove(ref{ingresses, key("a", "web")})
		_, c = s.Take()
		want = map[string]time.Time{"Ingress": start.Add(6 * time.Second), "EndpointSlice": start.Add(5 * time.Second)}
		if d := cmp.Diff(want, c.Since); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
	})
}
