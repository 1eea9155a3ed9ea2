package store

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"
)

// lines is a log for tests.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// start runs a Store until the test ends.
func start(t *testing.T, s *Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// wait waits for Changed until ok says yes, as running.until does.
func wait(t *testing.T, s *Store, what string, ok func() bool) {
	t.Helper()
	var late <-chan time.Time
	if end, has := t.Deadline(); has {
		late = time.After(time.Until(end) - 5*time.Second)
	}
	for !ok() {
		select {
		case <-s.Changed():
		case <-late:
			t.Fatalf("never %s", what)
		}
	}
}

func refuseList(client *fake.Clientset, resource string, err error) {
	client.PrependReactor("list", resource, func(ktesting.Action) (bool, runtime.Object, error) { return true, nil, err })
}

func TestClusterReadsWhatItShould(t *testing.T) {
	client := fake.NewClientset(
		ingress("x.example.org", "1"),
		&networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "nginx"}},
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "s"}},
		slice("s1", "s", "1", "10.0.0.1"),
		secret("1", "one"), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "other"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "c"}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"team": "x"}}},
	)
	s := NewCluster(client, ClusterOptions{NamespaceSelector: labels.SelectorFromSet(labels.Set{"team": "x"})})
	s.Want(Wanted{Secrets: []Key{tls.key, key("a", "missing")}, ConfigMaps: []Key{key("a", "c")}, Names: []string{"192.0.2.1"}})
	if s.Settled() {
		t.Error("settled before it runs")
	}
	start(t, s)
	wait(t, s, "settled", s.Settled)
	snapshot, c := s.Take()
	if len(snapshot.Ingresses) != 1 || len(snapshot.IngressClasses) != 1 || len(snapshot.Services) != 1 ||
		len(snapshot.Slices[key("a", "s")]) != 1 || len(snapshot.Secrets) != 1 || len(snapshot.ConfigMaps) != 1 ||
		len(snapshot.Namespaces) != 1 || len(snapshot.Addresses) != 1 || len(snapshot.Problems) != 0 {
		t.Errorf("%+v", snapshot)
	}
	if !c.Classes || !c.Namespaces || !c.Ingresses[key("a", "web")] || !c.Endpoints[key("a", "s")] || !c.Addresses["192.0.2.1"] {
		t.Errorf("%+v", c)
	}
	for _, a := range client.Actions() {
		kind := a.GetResource().Resource
		if l, ok := a.(ktesting.ListAction); ok && (kind == "secrets" || kind == "configmaps") {
			if f := l.GetListRestrictions().Fields; !strings.HasPrefix(f.String(), "metadata.name=") {
				t.Errorf("lists %s by %q", kind, f)
			}
		}
	}
	must(t, client.CoreV1().Services("a").Delete(t.Context(), "s", metav1.DeleteOptions{}))
	wait(t, s, "deleted", func() bool { snapshot, _ := s.Take(); return len(snapshot.Services) == 0 })
}

func TestClusterReadsNoNamespacesUnasked(t *testing.T) {
	client := fake.NewClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"}})
	s := NewCluster(client, ClusterOptions{Namespace: "a"})
	start(t, s)
	wait(t, s, "settled", s.Settled)
	for _, a := range client.Actions() {
		kind := a.GetResource().Resource
		if kind == "namespaces" {
			t.Error("reads namespaces")
		}
		if kind != "ingressclasses" && a.GetNamespace() != "a" {
			t.Errorf("reads %s of namespace %q", kind, a.GetNamespace())
		}
	}
}

func TestClusterWithoutIngressClasses(t *testing.T) {
	client := fake.NewClientset(ingress("x.example.org", "1"))
	refuseList(client, "ingressclasses", apierrors.NewForbidden(schema.GroupResource{Resource: "ingressclasses"}, "", errors.New("no")))
	out := &lines{}
	s := NewCluster(client, ClusterOptions{Log: slog.New(slog.NewTextHandler(out, nil))})
	start(t, s)
	wait(t, s, "settled", s.Settled)
	if snapshot, _ := s.Take(); len(snapshot.Ingresses) != 1 {
		t.Error("no Ingress")
	}
	if n := out.count("going on without them"); n != 1 {
		t.Errorf("warned %d times", n)
	}
}

func TestClusterIsNotSettledByAFailure(t *testing.T) {
	client := fake.NewClientset()
	asked := make(chan struct{}, 100)
	client.PrependReactor("list", "services", func(ktesting.Action) (bool, runtime.Object, error) {
		notify(asked)
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, "", errors.New("no"))
	})
	out := &lines{}
	s := NewCluster(client, ClusterOptions{Log: slog.New(slog.NewTextHandler(out, nil))})
	start(t, s)
	<-asked
	<-asked // the first failure has been dealt with
	if s.Settled() {
		t.Error("settled without the Services")
	}
	if n := out.count("kind=Service"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

func TestClusterOwnStatusIsNoWork(t *testing.T) {
	client := fake.NewClientset(ingress("x.example.org", "1"))
	s := NewCluster(client, ClusterOptions{})
	start(t, s)
	wait(t, s, "settled", s.Settled)
	s.Take()
	in := ingress("x.example.org", "2")
	in.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "us"}}
	in.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}
	_, err := client.NetworkingV1().Ingresses("a").UpdateStatus(t.Context(), in, metav1.UpdateOptions{})
	must(t, err)
	wait(t, s, "seen", func() bool {
		snapshot, c := s.Take()
		if !c.Empty() {
			t.Errorf("a status is work: %+v", c)
		}
		return len(snapshot.Ingresses[key("a", "web")].Status.LoadBalancer.Ingress) == 1
	})
}

func BenchmarkTakeOneOfMany(b *testing.B) {
	s := bareStore()
	for i := range 10_000 {
		o := slice("s", "svc", "1", "10.0.0.1")
		o.Name += string(rune('0'+i%10)) + time.Duration(i).String()
		s.pending.put(o)
	}
	s.Take()
	one := []*discoveryv1.EndpointSlice{slice("x", "svc", "", "10.0.0.1"), slice("x", "svc", "", "10.0.0.2")}
	for i := 0; b.Loop(); i++ {
		s.pending.put(one[i%2])
		if _, c := s.Take(); len(c.Endpoints) != 1 {
			b.Fatal("no change")
		}
	}
}
