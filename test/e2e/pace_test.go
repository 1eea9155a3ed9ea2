package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// zoned is a slice whose endpoints are each for a zone.
func zoned(service string, pairs ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: %s-1, namespace: default, labels: {kubernetes.io/service-name: %[1]s}}\naddressType: IPv4\nports: [{port: 8080}]\nendpoints:\n", service)
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "- {addresses: [%s], hints: {forZones: [{name: %s}]}}\n", pairs[i], pairs[i+1])
	}
	return b.String()
}

// Hints of slices keep requests in the node's zone, while there is an endpoint
// for it.
func TestTopologyAwareRouting(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 172, "near", "far")
	w.Apply(t, "---\napiVersion: v1\nkind: Node\nmetadata: {name: node-1, labels: {topology.kubernetes.io/zone: zone-a}}\n")
	t.Cleanup(func() { w.Delete(t, "Node", "", "node-1") })
	both := func(zone string) string {
		return zoned("web", "10.244.172.1", zone, "10.244.172.2", "zone-b")
	}
	w.Apply(t, service("web", "10.244.172.1")+both("zone-a")+web("web", "a.example.org", "web").String())
	s := w.launchWith(t, cluster.Options{Args: []string{"--enable-topology-aware-routing"}, Env: []string{"NODE_NAME=node-1"}})
	logged(t, s, "the node's zone come first", "zone-a")
	const url = "http://a.example.org/"
	who := func() string {
		seen := map[string]bool{}
		for range 40 {
			seen[answers(s.Get(t, url))] = true
		}
		return fmt.Sprint(seen)
	}
	becomesText(t, "who answers", who, "map[near:true]")
	w.Apply(t, both("zone-c")) // none is for ours
	becomesText(t, "who answers", who, "map[far:true near:true]")
	w.Apply(t, both("zone-a"))
	becomesText(t, "who answers", who, "map[near:true]")
}

// nginx's status has a port where one is asked for, at this machine's own
// address alone.
func TestStatusPort(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 173, "web")
	w.Apply(t, web("web", "a.example.org", "web").String())
	s := w.launch(t, "--status-port=19246", "--enable-metrics")
	status := &cluster.Sallyport{HTTP: 19246}
	for path, want := range map[string]int{"/healthz": 200, "/is-dynamic-lb-initialized": 200, "/nginx_status": 200, "/": 404, "/configuration/backends": 404} {
		if r := status.Get(t, "http://x"+path); r.Status != want {
			t.Errorf("%s: %d, want %d", path, r.Status, want)
		}
	}
	if body := status.Get(t, "http://x/nginx_status").Body; !strings.Contains(body, "Active connections:") {
		t.Errorf("/nginx_status: %q", body)
	}
	requests(t, s, "http://a.example.org/", "web")
}

// Lines that nginx sends by syslog go to standard output.
func TestInternalLogger(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 174, "web")
	w.Apply(t, configMap(`enable-syslog: "true"`, `syslog-host: "127.0.0.1"`, `syslog-port: "19514"`, `log-format-upstream: "seen $uri $status"`))
	w.Apply(t, web("web", "a.example.org", "web").String())
	s := w.launch(t, "--configmap=sallyport/sallyport", "--internal-logger-address=127.0.0.1:19514")
	requests(t, s, "http://a.example.org/marked", "web")
	cluster.Eventually(t, "the line is on standard output", func() error {
		if !strings.Contains("\n"+s.AccessLog(), "\nseen /marked 200\n") {
			return fmt.Errorf("it has %q", s.AccessLog())
		}
		return nil
	})
}

// The controller outlives its nginx where it is told to.
func TestPostShutdownGracePeriod(t *testing.T) {
	w := inFolder(t)
	s := w.launch(t, "--post-shutdown-grace-period=4")
	s.Terminate()
	cluster.Eventually(t, "nginx has ended", func() error {
		if left := s.Nginx(); len(left) > 0 {
			return fmt.Errorf("there is %v", left)
		}
		return nil
	})
	select {
	case <-s.Ended():
		t.Error("the controller has ended with it")
	default:
	}
	<-s.Ended()
	if s.ExitCode() != 0 {
		t.Errorf("ended with %d", s.ExitCode())
	}
}
