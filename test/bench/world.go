package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// A world is a cluster with a number of Services, each with one endpoint and an
// Ingress with a host of its own, and a backend on each address that an
// endpoint may have.
type world struct {
	client     kubernetes.Interface
	kubeconfig string
	fresh      int // addresses given out
}

func newWorld(s *lab.Session, n int, secure func(i int) bool) *world {
	c := cluster.Start(s)
	w := &world{client: c.Client}
	var err error
	w.kubeconfig, err = c.Kubeconfig(cluster.Controller)
	s.Must(err, "kubeconfig")
	serveEverywhere(s)

	ctx, none := context.Background(), metav1.CreateOptions{}
	_, err = w.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: space}}, none)
	s.Must(err, "namespace")
	_, err = w.client.NetworkingV1().IngressClasses().Create(ctx, newClass(), none)
	s.Must(err, "class")
	_, err = w.client.CoreV1().Secrets(space).Create(ctx, newSecret(newCertificate(s, "*.example.org", 1)), none)
	s.Must(err, "secret")
	addresses := w.addresses(n)
	s.Must(lab.Parallel(n, func(i int) error { return w.populate(ctx, i, addresses[i], secure) }), "objects")
	return w
}

func (w *world) populate(ctx context.Context, i int, address string, secure func(int) bool) error {
	none := metav1.CreateOptions{}
	if _, err := w.client.CoreV1().Services(space).Create(ctx, newService(service(i)), none); err != nil {
		return err
	}
	if _, err := w.client.DiscoveryV1().EndpointSlices(space).Create(ctx, newSlice(service(i), address), none); err != nil {
		return err
	}
	o := newIngress(service(i), host(i), service(i), "/")
	if secure != nil && secure(i) {
		o = withTLS(o)
	}
	_, err := w.client.NetworkingV1().Ingresses(space).Create(ctx, o, none)
	return err
}

// startProduct runs Sallyport on this world and waits until its last host is
// served.
func (w *world) startProduct(s *lab.Session, b *bench, root, lastHost string) *product {
	p := startProduct(s, b, root, "--kubeconfig="+w.kubeconfig)
	k := &client{address: httpAddress(), request: get(lastHost, "/")}
	defer k.close()
	p.Await(s, lastHost+" is served", func() bool {
		a, err := k.do()
		return err == nil && a.status != http.StatusNotFound
	})
	return p
}

// setEndpoints replaces the addresses of a Service.
func (w *world) setEndpoints(ctx context.Context, i int, addresses ...string) error {
	_, err := w.client.DiscoveryV1().EndpointSlices(space).Update(ctx, newSlice(service(i), addresses...), metav1.UpdateOptions{})
	return err
}

// addresses gives addresses that nobody has had so far. All of them serve.
func (w *world) addresses(n int) []string {
	out := make([]string, n)
	for i := range out {
		const first = 256 // 10.244.1.0
		w.fresh++
		a := first + w.fresh
		out[i] = netip.AddrFrom4([4]byte{10, 244, byte(a >> 8), byte(a)}).String()
	}
	return out
}

func host(i int) string    { return fmt.Sprintf("host-%04d.example.org", i) }
func service(i int) string { return fmt.Sprintf("service-%04d", i) }

// serveEverywhere answers on each address of the private network with that
// address, and echoes websockets under /socket.
func serveEverywhere(s *lab.Session) {
	mux := http.NewServeMux()
	mux.Handle("/socket", cluster.EchoSockets())
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		local, _, err := net.SplitHostPort(r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, local)
	})
	cluster.Serve(s, mux, fmt.Sprintf(":%d", backendPort))
}

// untilSeen makes a change at the API server and polls until it is seen, with a
// pause after each poll: the client's. The times run from sending the change, and from the API server's answer to it: 0
// where the change was seen before that answer.
func untilSeen(s *lab.Session, k *client, change func() error, seen func() bool) (sent, answered time.Duration) {
	const never = time.Minute
	type result struct {
		at  time.Time
		err error
	}
	done := make(chan result, 1)
	start := time.Now()
	go func() {
		err := change()
		done <- result{time.Now(), err}
	}()
	for !seen() {
		if time.Since(start) > never {
			s.Fatalf("a change was not seen within %v", never)
		}
		k.idle(pollPause)
	}
	end := time.Now()
	r := <-done
	s.Must(r.err, "change at the API server")
	return end.Sub(start), max(0, end.Sub(r.at))
}

// pollPause leaves the two cores of a small machine to those who are measured.
const pollPause = 500 * time.Microsecond
