package l4

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
	"github.com/sallyport-ingress/sallyport/test/uml"
)

// A front stands before an API server and can make it forget: lists of Services
// and EndpointSlices are empty then, and no watch goes on.
type front struct {
	server   http.Server
	listener net.Listener
	to       *httputil.ReverseProxy
	empty    atomic.Bool
	told     atomic.Int32 // how many lists were emptied

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// frontAddress is reached by the same wire as the API server.
const frontAddress = "10.244.255.253:0"

func newFront(t *testing.T, c *cluster.Cluster) *front {
	t.Helper()
	at, err := url.Parse(c.URL())
	if err != nil {
		t.Fatal(err)
	}
	f := &front{to: httputil.NewSingleHostReverseProxy(at), conns: map[net.Conn]bool{}}
	f.to.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	f.to.FlushInterval = -1
	f.server.Handler = f
	f.server.ConnState = f.state
	if f.listener, err = net.Listen("tcp", frontAddress); err != nil {
		t.Fatal(err)
	}
	go func() { _ = f.server.Serve(f.listener) }()
	t.Cleanup(func() { f.server.Close() })
	return f
}

func (f *front) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	kind, version := "", "v1"
	switch {
	case strings.HasSuffix(q.URL.Path, "/services"):
		kind = "Service"
	case strings.HasSuffix(q.URL.Path, "/endpointslices"):
		kind, version = "EndpointSlice", "discovery.k8s.io/v1"
	}
	if kind == "" || !f.empty.Load() {
		// Without TLS a client keeps its token to itself.
		q.Header.Set("Authorization", "Bearer "+cluster.Controller)
		f.to.ServeHTTP(w, q)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	watch := q.URL.Query().Get("watch") != ""
	switch {
	case watch && q.URL.Query().Get("sendInitialEvents") == "true":
		// A list by way of a watch: its end comes at once.
		fmt.Fprintf(w, `{"type":"BOOKMARK","object":{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"1","annotations":{"k8s.io/initial-events-end":"true"}}}}`+"\n", kind, version)
		f.told.Add(1)
	case watch:
		w.WriteHeader(http.StatusGone)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old resource version"}`)
	default:
		fmt.Fprintf(w, `{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"1"},"items":[]}`, kind+"List", version)
		f.told.Add(1)
	}
}

func (f *front) state(c net.Conn, s http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns[c] = true
	if s == http.StateClosed || s == http.StateHijacked {
		delete(f.conns, c)
	}
}

// forget makes it forget, also for those who watch: they are cut off.
func (f *front) forget() {
	f.empty.Store(true)
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close()
	}
}

// kubeconfig is one by which the front is the API server.
func (f *front) kubeconfig(t *testing.T) string {
	t.Helper()
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: front, cluster: {server: "http://%s"}}]
users: [{name: u, user: {token: %s}}]
contexts: [{name: front, context: {cluster: front, user: u}}]
current-context: front
`, f.listener.Addr(), cluster.Controller)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// An API server that has lost its memory for a while has not deleted anything.
func TestAnEmptyListWipesNothing(t *testing.T) {
	if uml.Inside() {
		t.Skip("reason: as for TestPacketsFromAPIServer")
	}
	needRoot(t)
	t.Parallel()
	w := onCluster(t, cluster.Start(t), nftables)
	l := w.from.(*live)
	f := newFront(t, l.Cluster)
	l.kubeconfig = f.kubeconfig(t)
	r := within(w, storyService, endpoints("web", p1, n2a))
	r.run(t, clusterCIDR...)
	load := r.startLoad(t, "client tcp vip:80,primary:80 = p1 n2a\np2 tcp,udp vip6:80 = p1 n2a")
	load.pass(t, 100)
	f.forget()
	cluster.Eventually(t, "it asks again", func() error {
		if n := f.told.Load(); n < 4 {
			return fmt.Errorf("%d lists", n)
		}
		return nil
	})
	load.pass(t, 300)
	f.empty.Store(false)
	r.make(step{objects: []thing{storyService, endpoints("web", n2a, n2b)}})
	r.apply(t)
	load.pass(t, 100)
	load.none(t)
	r.expect(t, "client,p2,edge tcp,udp all:80 = n2a n2b")
}
