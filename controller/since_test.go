package controller

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/store"
)

func (w *world) note(kind string, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live = append(w.live, fmt.Sprint(kind, " ", took))
}

// changed tells the controller of a change that came so long ago.
func (w *world) changed(ch store.Changes, kind string, ago time.Duration) {
	ch.Since = map[string]time.Time{kind: time.Now().Add(-ago)}
	w.store.change(ch)
}

func (w *world) wasLive(t *testing.T, want ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if diff := cmp.Diff(want, w.live); diff != "" {
		t.Errorf("changes that are live, -want +got:\n%s", diff)
	}
}

func ingressChange(name string) store.Changes {
	return store.Changes{Ingresses: map[store.Key]bool{{Namespace: "default", Name: name}: true}}
}

// A change is live when nginx has acknowledged it: endpoints with their push,
// also while a reload is under way, and what takes a reload with that.
func TestChangesAreTimedUntilTheyAreLive(t *testing.T) {
	run(t, func(w *world) {
		w.wasLive(t) // the start is no change
		w.proxy.slow = time.Minute
		w.route("b", "b.example.org")
		w.changed(ingressChange("b"), "Ingress", time.Second)
		w.wasLive(t)
		w.endpoint("10.0.0.2")
		w.changed(store.Changes{Endpoints: map[store.Key]bool{web: true}}, "EndpointSlice", 3*time.Millisecond)
		w.wasLive(t, "EndpointSlice 3ms")
		// What comes meanwhile waits for the reload, and goes with the next.
		time.Sleep(30 * time.Second)
		w.route("c", "c.example.org")
		w.changed(ingressChange("c"), "Ingress", 0)
		w.route("d", "d.example.org")
		w.changed(ingressChange("d"), "Ingress", 0)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		w.wasLive(t, "EndpointSlice 3ms", "Ingress 1m1s", "Ingress 1m30s")
	})
}

// What changes nothing in nginx is not live at any time.
func TestChangesWithoutEffectAreNotTimed(t *testing.T) {
	run(t, func(w *world) {
		w.changed(store.Changes{Secrets: map[store.Key]bool{{Namespace: "default", Name: "other"}: true}}, "Secret", time.Second)
		w.changed(store.Changes{Endpoints: map[store.Key]bool{web: true}}, "EndpointSlice", time.Second)
		w.wasLive(t)
	})
}

// A change that nginx does not take at once is timed until it does.
func TestChangesAreTimedOverFailures(t *testing.T) {
	run(t, func(w *world) {
		w.proxy.fail = 3 // pushes, with pauses of 20, 40 and 80 ms
		w.endpoint("10.0.0.2")
		w.changed(store.Changes{Endpoints: map[store.Key]bool{web: true}}, "EndpointSlice", 0)
		time.Sleep(time.Second)
		synctest.Wait()
		w.wasLive(t, "EndpointSlice 140ms")
		// Refused, and put aside: what it came with is live.
		w.live = nil
		w.proxy.refuses = "bad.example.org"
		w.proxy.slow = time.Second
		w.route("bad", "bad.example.org")
		w.route("good", "good.example.org")
		w.changed(ingressChange("good"), "Ingress", time.Second)
		time.Sleep(time.Minute)
		synctest.Wait()
		w.wasLive(t, "Ingress 2s")
		if w.refused != 1 {
			t.Errorf("%d objects are put aside, want 1", w.refused)
		}
	})
}
