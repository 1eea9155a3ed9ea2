package e2e

import (
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// Without the API server traffic goes on, and the controller waits for it.
func TestTheAPIServerGoesAway(t *testing.T) {
	w := &world{source: &live{cluster.Start(t)}, name: "cluster"} // its own: the others need theirs
	w.Apply(t, nginxClass)
	apps(t, w, 76, "web", "later")
	w.Apply(t, web("web", "a.example.org", "web").String())
	s := w.launch(t)
	load := s.StartLoad(t, "http://a.example.org/", 4)

	w.cluster().StopAPIServer()
	load.Pass(t, 200)
	if got := s.Healthz(); got != 200 {
		t.Errorf("without the API server /healthz is %d: the pod would be killed, and serve nothing", got)
	}
	if err := w.cluster().StartAPIServer(); err != nil {
		t.Fatal(err)
	}
	w.Apply(t, web("later", "b.example.org", "later").String())
	becomes(t, s, "http://b.example.org/", "later")
	load.Pass(t, 100)
	if n, failures := load.Stop(); len(failures) > 0 {
		t.Errorf("%d of %d requests failed, such as: %s", len(failures), n, failures[0])
	}
}
