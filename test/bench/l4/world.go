package main

import (
	"context"
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
	root       *namespace
	lanes      int
	endpoints  [][]netip.Addr // of each Service, as they are now
	fresh      int            // addresses given out
}

func newWorld(s *lab.Session) *world {
	c := cluster.Start(s)
	w := &world{session: s, root: here(s)}
	var err error
	w.kubeconfig, err = c.Kubeconfig(cluster.Admin)
	s.Must(err, "kubeconfig")
	// Ten thousand Services are made in half the time than in JSON.
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

// populate makes Services until there are n of them.
func (w *world) populate(s *lab.Session, n int) {
	first := len(w.endpoints)
	if n <= first {
		return
	}
	for i := first; i < n; i++ {
		w.endpoints = append(w.endpoints, endpointsOf(i))
	}
	start := time.Now()
	err := lab.Parallel(n-first, func(i int) error { return w.create(context.Background(), first+i) })
	s.Must(err, "Services")
	s.Logf("made %d Services × 2 endpoints in %.0f s", n-first, time.Since(start).Seconds())
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
