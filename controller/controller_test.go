package controller

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
	"github.com/sallyport-ingress/sallyport/nginx"
	"github.com/sallyport-ingress/sallyport/template"
)

// fakeStore hands over what a test puts into it.
type fakeStore struct {
	changed  chan struct{}
	snapshot store.Snapshot
	pending  store.Changes
	settled  bool
}

func (f *fakeStore) Changed() <-chan struct{} { return f.changed }
func (f *fakeStore) Want(store.Wanted)        {}
func (f *fakeStore) Settled() bool            { return f.settled }
func (f *fakeStore) Take() (*store.Snapshot, store.Changes) {
	ch := f.pending
	f.pending = store.Changes{}
	return &f.snapshot, ch
}

func (f *fakeStore) change(ch store.Changes) {
	f.pending = ch
	f.changed <- struct{}{}
	synctest.Wait()
}

// fakeProxy is an nginx that refuses files with a certain text in them.
type fakeProxy struct {
	recorder
	refuses        string
	conf           string
	starts, reload int
	slow           time.Duration // of a reload
	exited         chan struct{}
	workers        int
}

func (f *fakeProxy) Adopt(context.Context) (bool, error) { return false, nil }
func (f *fakeProxy) Start(ctx context.Context, conf []byte, data map[string]string) error {
	if err := f.Test(ctx, conf); err != nil {
		return err
	}
	f.starts++
	f.conf, f.items, f.exited = string(conf), data, make(chan struct{})
	return nil
}
func (f *fakeProxy) Test(_ context.Context, conf []byte) error {
	if f.refuses != "" && strings.Contains(string(conf), f.refuses) {
		return &nginx.ConfigError{Message: "no"}
	}
	return nil
}
func (f *fakeProxy) Reload(_ context.Context, conf []byte) error {
	time.Sleep(f.slow) // in the bubble's time
	f.reload++
	f.conf = string(conf)
	return nil
}
func (f *fakeProxy) Push(ctx context.Context, set map[string]string, del []string) error {
	return f.push(ctx, set, del)
}
func (f *fakeProxy) Keep(map[string]nginx.File) error                   { return nil }
func (f *fakeProxy) Drop(func(string) bool) error                       { return nil }
func (f *fakeProxy) Digests(context.Context) (map[string]string, error) { return nil, nil }
func (f *fakeProxy) Status(context.Context) (nginx.Status, error)       { return nginx.Status{}, nil }
func (f *fakeProxy) Exited() <-chan struct{}                            { return f.exited }
func (f *fakeProxy) Workers() nginx.Processes                           { return nginx.Processes{Count: f.workers} }

type fakeObserver struct {
	live  func(string, time.Duration)
	built func(refused int)
}

func (fakeObserver) Reloaded(bool, time.Time, time.Duration) {}
func (fakeObserver) Pushed(int, time.Duration, error)        {}
func (f fakeObserver) Built(_ *build.Result, refused int) {
	if f.built != nil {
		f.built(refused)
	}
}
func (fakeObserver) Generation(string) {}
func (f fakeObserver) Live(kind string, took time.Duration) {
	if f.live != nil {
		f.live(kind, took)
	}
}

type world struct {
	store      *fakeStore
	proxy      *fakeProxy
	controller *Controller
	problems   []model.Problem
	refused    int // objects that are put aside
	mu         sync.Mutex
	live       []string // changes that nginx has, with how long they took
}

// run starts a controller over a cluster with one Ingress, a.example.org to
// Service default/web at 10.0.0.1.
func run(t *testing.T, test func(w *world)) {
	runWith(t, func(*Options) {}, test)
}

func runWith(t *testing.T, change func(*Options), test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{store: &fakeStore{changed: make(chan struct{}, 1), settled: true}, proxy: &fakeProxy{}}
		s := &w.store.snapshot
		s.Ingresses = map[store.Key]*networkingv1.Ingress{}
		s.Services = map[store.Key]*corev1.Service{web: {Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}}
		s.Slices = map[store.Key]map[string]*discoveryv1.EndpointSlice{}
		w.route("a", "a.example.org")
		w.endpoint("10.0.0.1")
		o := Options{
			Store: w.store, Proxy: w.proxy, Observer: fakeObserver{w.note, func(n int) { w.refused = n }}, Log: slog.New(slog.DiscardHandler),
			Build: build.Options{Classes: build.Classes{WithoutClass: true}}, Environment: template.Environment{},
			Report: func(_ []*networkingv1.Ingress, p []model.Problem) { w.problems = p },
		}
		change(&o)
		var err error
		w.controller, err = New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.controller.Run(ctx) }()
		w.store.change(store.Changes{Classes: true})
		test(w)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

var web = store.Key{Namespace: "default", Name: "web"}

func (w *world) route(name, host string) {
	prefix := networkingv1.PathTypePrefix
	ing := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	ing.Spec.Rules = []networkingv1.IngressRule{{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
		Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: &prefix, Backend: networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80}},
		}}},
	}}}}
	w.store.snapshot.Ingresses[store.Key{Namespace: "default", Name: name}] = ing
}

func (w *world) endpoint(address string) {
	port := int32(8080)
	w.store.snapshot.Slices[web] = map[string]*discoveryv1.EndpointSlice{"s": {
		Ports: []discoveryv1.EndpointPort{{Port: &port}}, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{address}}},
	}}
}

const backend = "b:default/web/80"

func TestNotReadyBeforeTheFirstStateIsComplete(t *testing.T) {
	run(t, func(w *world) {
		if !w.controller.Ready() || w.proxy.starts != 1 {
			t.Errorf("ready %v, %d starts", w.controller.Ready(), w.proxy.starts)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := &fakeStore{changed: make(chan struct{}, 1)}
		p := &fakeProxy{}
		c, err := New(Options{Store: s, Proxy: p, Observer: fakeObserver{}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		go c.Run(t.Context())
		s.change(store.Changes{Classes: true})
		if c.Ready() || p.starts != 0 {
			t.Errorf("ready %v, %d starts, while the store waits for an answer", c.Ready(), p.starts)
		}
		s.settled = true
		s.change(store.Changes{})
		if !c.Ready() {
			t.Error("not ready after the answer")
		}
	})
}

// Endpoints are pushed at once, also while a reload is under way, and never
// reload.
func TestEndpointsDoNotWait(t *testing.T) {
	run(t, func(w *world) {
		w.proxy.slow = time.Hour
		w.route("b", "b.example.org")
		w.store.change(store.Changes{Ingresses: map[store.Key]bool{{Namespace: "default", Name: "b"}: true}})
		if w.proxy.reload != 0 {
			t.Fatal("the reload is over")
		}
		w.endpoint("10.0.0.2")
		w.store.change(store.Changes{Endpoints: map[store.Key]bool{web: true}})
		if got := w.proxy.items[backend]; !strings.Contains(got, "10.0.0.2") {
			t.Errorf("nginx has %s during the reload", got)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if w.proxy.reload != 1 || !strings.Contains(w.proxy.items[backend], "10.0.0.2") {
			t.Errorf("%d reloads, nginx has %s", w.proxy.reload, w.proxy.items[backend])
		}
	})
}

// Changes during a reload are applied together, in one more.
func TestChangesAreCoalesced(t *testing.T) {
	run(t, func(w *world) {
		w.proxy.slow = time.Second
		for _, name := range []string{"b", "c", "d", "e"} {
			w.route(name, name+".example.org")
			w.store.change(store.Changes{Ingresses: map[store.Key]bool{{Namespace: "default", Name: name}: true}})
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if w.proxy.reload != 2 || !strings.Contains(w.proxy.conf, "e.example.org") {
			t.Errorf("%d reloads", w.proxy.reload)
		}
	})
}

// What nginx refuses is put aside with a problem; the rest goes live.
func TestRefusedIngressIsPutAside(t *testing.T) {
	run(t, func(w *world) {
		w.proxy.refuses = "bad.example.org"
		w.route("bad", "bad.example.org")
		w.route("c", "c.example.org")
		w.store.change(store.Changes{Ingresses: map[store.Key]bool{{Namespace: "default", Name: "bad"}: true}})
		synctest.Wait()
		if !strings.Contains(w.proxy.conf, "c.example.org") || strings.Contains(w.proxy.conf, "bad.example.org") {
			t.Error("the good one is not live, or the bad one is")
		}
		if len(w.problems) != 1 || w.problems[0].Object.Name != "bad" || w.problems[0].Reason != "nginx refuses it: no" {
			t.Errorf("problems %v", w.problems)
		}
	})
}

// An nginx that went away is started again with everything.
func TestLostNginxIsStartedAgain(t *testing.T) {
	run(t, func(w *world) {
		time.Sleep(time.Minute)
		w.endpoint("10.0.0.2")
		w.store.change(store.Changes{Endpoints: map[store.Key]bool{web: true}})
		close(w.proxy.exited)
		synctest.Wait()
		if w.proxy.starts != 2 || !w.controller.Ready() || !strings.Contains(w.proxy.items[backend], "10.0.0.2") {
			t.Errorf("%d starts, ready %v, nginx has %s", w.proxy.starts, w.controller.Ready(), w.proxy.items[backend])
		}
	})
}

// A route that goes takes its data with it, after the reload.
func TestStaleDataIsDeleted(t *testing.T) {
	run(t, func(w *world) {
		before := len(w.proxy.items)
		w.route("b", "b.example.org")
		key := store.Key{Namespace: "default", Name: "b"}
		w.store.change(store.Changes{Ingresses: map[store.Key]bool{key: true}})
		if len(w.proxy.items) != before+1 {
			t.Fatalf("%d items", len(w.proxy.items))
		}
		delete(w.store.snapshot.Ingresses, key)
		w.store.change(store.Changes{Ingresses: map[store.Key]bool{key: true}})
		synctest.Wait()
		if len(w.proxy.items) != before {
			t.Errorf("items %v", w.proxy.items)
		}
	})
}

// Where old workers have made a crowd, reloads wait, and data doesn't.
func TestReloadsWaitInACrowd(t *testing.T) {
	run(t, func(w *world) {
		w.proxy.workers = 1 << 20
		w.route("b", "b.example.org")
		w.store.change(store.Changes{Ingresses: map[store.Key]bool{{Namespace: "default", Name: "b"}: true}})
		w.endpoint("10.0.0.2")
		w.store.change(store.Changes{Endpoints: map[store.Key]bool{web: true}})
		if w.proxy.reload != 0 || !strings.Contains(w.proxy.items[backend], "10.0.0.2") {
			t.Errorf("%d reloads at once, nginx has %s", w.proxy.reload, w.proxy.items[backend])
		}
		time.Sleep(crowdedPause)
		synctest.Wait()
		if w.proxy.reload != 1 {
			t.Errorf("%d reloads after the pause", w.proxy.reload)
		}
	})
}
