package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// spread sends n requests and says which addresses answered.
func spread(t *testing.T, s *cluster.Sallyport, url string, n int) string {
	t.Helper()
	seen := map[string]int{}
	for range n {
		r := s.Get(t, url)
		if r.Seen == nil {
			t.Fatalf("%s: got %s", url, r)
		}
		seen[strings.TrimSuffix(r.Seen.Local, ":8080")]++
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), " ")
}

// spreads waits until requests go to just these addresses, then looks once more.
func spreads(t *testing.T, s *cluster.Sallyport, url, want string) {
	t.Helper()
	n := 8 * (1 + strings.Count(want, " "))
	cluster.Eventually(t, url+" goes to "+want, func() error {
		if got := spread(t, s, url, n); got != want {
			return fmt.Errorf("it goes to %s", got)
		}
		return nil
	})
	if got := spread(t, s, url, n); got != want {
		t.Errorf("%s went to %s, now to %s", url, want, got)
	}
}

func TestEndpointsOfSeveralSlicesAndFamilies(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		cluster.Echo(t, "web", "10.244.25.1:8080", "10.244.25.2:8080", "10.244.25.3:8080", "[fd00:10:244:25::1]:8080")
		w.Apply(t, service("web", "10.244.25.1", "10.244.25.2")+slice("web", "web-2", "10.244.25.2", "10.244.25.3")+slice("web", "web-6", "fd00:10:244:25::1"))
		w.Apply(t, web("web", "a.example.org", "web").String())
		s := w.launch(t)
		const url = "http://a.example.org/"
		if got, want := spread(t, s, url, 32), "10.244.25.1 10.244.25.2 10.244.25.3 [fd00:10:244:25::1]"; got != want {
			t.Errorf("requests went to %s, want %s", got, want)
		}
		w.Delete(t, "EndpointSlice", "default", "web-2")
		spreads(t, s, url, "10.244.25.1 10.244.25.2 [fd00:10:244:25::1]")
		w.Apply(t, slice("web", "web-1"))
		spreads(t, s, url, "[fd00:10:244:25::1]")
	})
}

// conditions is a slice whose endpoints are given with their conditions.
func conditions(endpoints ...string) string {
	return `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: "", port: 8080}]
endpoints: [` + strings.Join(endpoints, ", ") + "]\n"
}

func TestConditionsOfEndpoints(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		const (
			unsaid   = `{addresses: [10.244.26.1]}`
			ready    = `{addresses: [10.244.26.2], conditions: {ready: true, serving: true}}`
			unready  = `{addresses: [10.244.26.3], conditions: {ready: false, serving: false}}`
			leaving  = `{addresses: [10.244.26.4], conditions: {ready: false, serving: true, terminating: true}}`
			gone     = `{addresses: [10.244.26.5], conditions: {ready: false, serving: false, terminating: true}}`
			starting = `{addresses: [10.244.26.6], conditions: {ready: false, serving: true, terminating: false}}`
		)
		var all []string
		for i := range 6 {
			all = append(all, fmt.Sprintf("10.244.26.%d:8080", i+1))
		}
		cluster.Echo(t, "web", all...)
		w.Apply(t, service("web"))
		w.Apply(t, conditions(unsaid, ready, unready, leaving, gone, starting))
		w.Apply(t, web("web", "a.example.org", "web").String())
		s := w.launch(t)
		const url = "http://a.example.org/"
		if got, want := spread(t, s, url, 48), "10.244.26.1 10.244.26.2"; got != want {
			t.Errorf("requests went to %s, want %s: who isn't ready is left out", got, want)
		}
		w.Apply(t, conditions(unready, leaving, gone, starting))
		spreads(t, s, url, "10.244.26.4") // it ends, and it is all there is
		w.Apply(t, conditions(unready, leaving, gone, starting, ready))
		spreads(t, s, url, "10.244.26.2")
		w.Apply(t, conditions(unready, gone, starting))
		becomes(t, s, url, "503")
	})
}

func TestNoEndpointsAndNoService(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 27, "web")
		w.Apply(t, service("empty"))
		w.Apply(t, ingress{name: "web", rules: []string{
			rule("Prefix", "a.example.org", "/", "web"),
			rule("Prefix", "a.example.org", "/missing", "missing"),
			rule("Prefix", "a.example.org", "/empty", "empty"),
		}}.String())
		s := w.launch(t)
		const a = "http://a.example.org"
		requests(t, s, a+"/", "web", a+"/missing", "503", a+"/empty", "503", a+"/missing/x", "503")
		logged(t, s, "default/web", "missing")

		w.Apply(t, slice("empty", "empty-1", "10.244.27.1"))
		becomes(t, s, a+"/empty", "web")
		w.Apply(t, service("missing", "10.244.27.1"))
		becomes(t, s, a+"/missing", "web")
		w.Delete(t, "Service", "default", "missing")
		becomes(t, s, a+"/missing", "503")
		requests(t, s, a+"/", "web")
	})
}

func TestHeadlessServices(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		cluster.Echo(t, "web", "10.244.28.1:8080", "10.244.28.2:8080")
		w.Apply(t, "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: None, ports: [{port: 8080}]}\n"+
			slice("web", "web-1", "10.244.28.1", "10.244.28.2"))
		w.Apply(t, web("web", "a.example.org", "web:8080").String())
		s := w.launch(t)
		if got, want := spread(t, s, "http://a.example.org/", 16), "10.244.28.1 10.244.28.2"; got != want {
			t.Errorf("requests went to %s, want %s", got, want)
		}
	})
}

// A change of endpoints reaches nginx without a reload: its workers stay.
func TestEndpointsChangeWithoutAReload(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		cluster.Echo(t, "web", "10.244.29.1:8080", "10.244.29.2:8080")
		w.Apply(t, service("web", "10.244.29.1")+web("web", "a.example.org", "web").String())
		s := w.launch(t)
		before := s.Workers()
		w.Apply(t, slice("web", "web-1", "10.244.29.2"))
		spreads(t, s, "http://a.example.org/", "10.244.29.2")
		if after := s.Workers(); !slices.Equal(before, after) {
			t.Errorf("workers were %v, now they are %v", before, after)
		}
	})
}

// Requests are spread evenly, and each request is asked of one backend once.
func TestRoundRobin(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		b, text := counted(t, "web", "10.244.30.1", "10.244.30.2", "10.244.30.3")
		w.Apply(t, text+configMap("worker-processes: \"1\""))
		w.Apply(t, web("web", "a.example.org", "web").String())
		s := w.launch(t, "--configmap=sallyport/sallyport")
		for range 30 {
			expect(t, s, "http://a.example.org/", "web")
		}
		for address, n := range b.Served() {
			if n != 10 {
				t.Errorf("%s got %d of 30 requests, want 10", address, n)
			}
		}
		if b.Count() != 30 {
			t.Errorf("the backend saw %d requests, 30 were sent", b.Count())
		}
	})
}

// configMap is the controller's, with these keys.
func configMap(lines ...string) string {
	return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: sallyport, namespace: sallyport}\ndata:\n  " + strings.Join(lines, "\n  ") + "\n"
}

// An address that refuses connections costs no request while another accepts.
func TestARefusedConnectionIsTriedElsewhere(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		cluster.Echo(t, "web", "10.244.31.1:8080")
		w.Apply(t, service("web", "10.244.31.1", "10.244.31.2")+web("web", "a.example.org", "web").String())
		s := w.launch(t)
		for range 12 {
			expect(t, s, "http://a.example.org/", "web")
		}
	})
}
