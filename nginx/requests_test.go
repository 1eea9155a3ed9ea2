package nginx

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// counted waits until nginx has counted so many requests, and returns them by
// method and status.
func counted(t *testing.T, l *lab, want float64) map[string]Series {
	t.Helper()
	var all map[string]Series
	err := until(limit(t), func() (bool, error) {
		list, _, err := l.Requests(limit(t))
		if err != nil {
			return false, err
		}
		all = map[string]Series{}
		sum := 0.0
		for _, s := range list {
			if s.Namespace == "" {
				continue // of a path without a route: the 404s of the tests
			}
			all[s.Method+" "+s.Status] = s
			sum += s.Requests
		}
		if sum > want {
			return false, fmt.Errorf("%v requests counted, want %v", sum, want)
		}
		return sum == want, nil
	})
	if err != nil {
		t.Fatalf("%v: %+v", err, all)
	}
	return all
}

func TestRequestsAreCounted(t *testing.T) {
	l := newLab(t)
	l.metrics = true
	l.start(simple(echo(t, "one"), refusing(t)))
	if got := counted(t, l, 0); len(got) != 0 {
		t.Errorf("series of nothing: %v", got)
	}
	client := newClient()
	for range 40 {
		get(t, client, l.url("/a/"))
	}
	ask(t, client, http.MethodDelete, l.url("/a/"))
	for range 3 {
		ask(t, client, "BREW", l.url("/a/"))
		ask(t, client, "STIR", l.url("/a/"))
	}
	get(t, client, l.url("/b/"))       // its route is not in the data
	get(t, client, l.url("/nowhere/")) // no route
	got := counted(t, l, 47)
	if got["GET 200"].Requests != 40 || got["OTHER 200"].Requests != 6 || got["DELETE 200"].Requests != 1 {
		t.Errorf("counted %+v", got)
	}
	s := got["GET 200"]
	labels := Series{Host: s.Host, Path: s.Path, Namespace: s.Namespace, Ingress: s.Ingress, Service: s.Service}
	want := Series{Host: "a.example.org", Path: "/a/", Namespace: "default", Ingress: "web", Service: "web"}
	if diff := cmp.Diff(want, labels); diff != "" {
		t.Error(diff)
	}
	for name, h := range map[string]struct {
		h      Histogram
		bounds int
	}{
		"request_duration": {s.RequestDuration, 4}, "connect_duration": {s.ConnectDuration, 4},
		"header_duration": {s.HeaderDuration, 4}, "response_duration": {s.ResponseDuration, 4},
		"request_size": {s.RequestSize, 2}, "response_size": {s.ResponseSize, 2}, "bytes_sent": {s.BytesSent, 3},
	} {
		sum := 0.0
		for _, n := range h.h.Buckets {
			sum += n
		}
		if h.h.Count != 40 || sum != 40 || len(h.h.Buckets) != h.bounds+1 {
			t.Errorf("%s: %+v, want 40 values in %d buckets", name, h.h, h.bounds+1)
		}
	}
	// About 100 bytes of request and 200 of response, by bounds 10, 100, 1000.
	if s.BytesSent.Buckets[2] != 40 || s.BytesSent.Sum < 4000 || s.ResponseSize.Buckets[1] != 40 {
		t.Errorf("sizes: %+v %+v", s.BytesSent, s.ResponseSize)
	}
	if s.RequestSize.Sum < 40*50 || s.RequestDuration.Sum < 0 {
		t.Errorf("sums: %+v %+v", s.RequestSize, s.RequestDuration)
	}
}

func TestCountersSurviveReloadsAndForgetRoutes(t *testing.T) {
	l := newLab(t)
	l.metrics = true
	l.start(simple(echo(t, "one")))
	client := newClient()
	n := 0.0
	for i := range 5 {
		for range 20 {
			get(t, client, l.url("/a/"))
			n++
		}
		l.extra = fmt.Sprintf("# %d", i)
		if err := l.Reload(limit(t), l.conf()); err != nil {
			t.Fatal(err)
		}
	}
	counted(t, l, n)
	l.push(nil, "r:a")
	counted(t, l, 0)
}

func TestStub(t *testing.T) {
	l := newLab(t)
	l.start(simple(echo(t, "one")))
	before, err := l.Stub(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		get(t, newClient(), l.url("/a/"))
	}
	after, err := l.Stub(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	if more := after.Requests - before.Requests; more != 11 {
		t.Errorf("%d requests more, want 11: %+v", more, after)
	}
}

func TestWorkers(t *testing.T) {
	l := newLab(t)
	if got := l.Workers(); got != (Processes{}) {
		t.Errorf("before the start: %+v", got)
	}
	l.start(simple(echo(t, "one")))
	before := l.Workers()
	if before.Count != 3 || before.Resident == 0 || before.Virtual < before.Resident || before.OldestStart.IsZero() {
		t.Errorf("processes: %+v", before)
	}
	for range 3 {
		if err := l.Reload(limit(t), l.conf()); err != nil {
			t.Fatal(err)
		}
	}
	if after := l.Workers(); after.CPUSeconds < before.CPUSeconds || !after.OldestStart.Equal(before.OldestStart) {
		t.Errorf("went backwards: %+v, before %+v", after, before)
	}
}
