package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// A world is one API server, the Services in it, and the lanes that are
// programmed from it.
type world struct {
	session    *lab.Session // ends with the run
	client     kubernetes.Interface
	kubeconfig string
	etcd       string // URL
	root       *namespace
	lanes      int
	endpoints  [][]netip.Addr // of each Service, as they are now
	fresh      int            // addresses given out
}

func newWorld(s *lab.Session) *world {
	c := cluster.Start(s)
	w := &world{session: s, root: here(s), etcd: c.EtcdURL()}
	var err error
	w.kubeconfig, err = c.Kubeconfig(cluster.Admin)
	s.Must(err, "kubeconfig")
	// As the contestants do.
	config := rest.CopyConfig(c.Config)
	config.ContentType = runtime.ContentTypeProtobuf
	w.client, err = kubernetes.NewForConfig(config)
	s.Must(err, "client")
	_, err = w.client.CoreV1().Namespaces().Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: space}}, metav1.CreateOptions{})
	s.Must(err, "namespace")
	return w
}

// here is the private network that this process is in.
func here(s *lab.Session) *namespace {
	file, err := os.Open("/proc/self/ns/net")
	s.Must(err, "network namespace")
	n := &namespace{file: file}
	n.open(s)
	return n
}

// populate makes Services until there are n of them: the first by way of the
// API server, many as it would have made them.
func (w *world) populate(s *lab.Session, n int) {
	const byFrontDoor, atOnce = 10, 40
	ctx := context.Background()
	first := len(w.endpoints)
	if n <= first {
		return
	}
	for i := first; i < n; i++ {
		w.endpoints = append(w.endpoints, endpointsOf(i))
	}
	start := time.Now()
	if front := min(n, byFrontDoor) - first; front > 0 {
		s.Must(lab.Parallel(front, func(i int) error { return w.create(ctx, first+i) }), "Services")
		first += front
	}
	if first < n {
		m, err := w.newMould(ctx)
		s.Must(err, "Services")
		s.Must(lab.Parallel((n-first+atOnce-1)/atOnce, func(i int) error {
			from := first + i*atOnce
			return m.castRange(ctx, from, min(from+atOnce, n))
		}), "Services")
	}
	w.awaitServed(s, n)
	s.Logf("%d Services × 2 endpoints are there after %.0f s", n, time.Since(start).Seconds())
}

// awaitServed waits until the API server's caches have all Services.
func (w *world) awaitServed(s *lab.Session, n int) {
	fromCache := metav1.ListOptions{ResourceVersion: "0"}
	cluster.Eventually(s, "the API server has all Services", func() error {
		services, err := w.client.CoreV1().Services(space).List(context.Background(), fromCache)
		if err != nil {
			return err
		}
		slices, err := w.client.DiscoveryV1().EndpointSlices(space).List(context.Background(), fromCache)
		if err != nil {
			return err
		}
		if len(services.Items) != n || len(slices.Items) != n {
			return fmt.Errorf("%d Services and %d EndpointSlices of %d", len(services.Items), len(slices.Items), n)
		}
		return nil
	})
}

// newLane makes a lane with its Node, until the run ends.
func (w *world) newLane(s *lab.Session) *lane {
	w.lanes++
	l := newLane(w.session, w.root, w.lanes)
	s.Must(w.createNode(context.Background(), l), l.nodeName())
	return l
}

// address gives one that no Service has had so far.
func (w *world) address() netip.Addr {
	w.fresh++
	return freshAddress(w.fresh)
}
