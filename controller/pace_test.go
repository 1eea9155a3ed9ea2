package controller

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/store"
)

// Where reloads are to have a pause between them, what comes meanwhile goes with
// the next; endpoints do not wait.
func TestReloadsKeepTheirDistance(t *testing.T) {
	runWith(t, func(o *Options) { o.ReloadPause = 3 * time.Second }, func(w *world) {
		time.Sleep(time.Minute)
		at := time.Now()
		change := func(name string) {
			w.route(name, name+".example.org")
			w.changed(ingressChange(name), "Ingress", 0)
		}
		change("b")
		synctest.Wait()
		if w.proxy.reload != 1 {
			t.Errorf("%d reloads: the first waits", w.proxy.reload)
		}
		for i := range 20 {
			change(fmt.Sprint("c", i))
			time.Sleep(100 * time.Millisecond)
		}
		w.endpoint("10.0.0.2")
		w.changed(store.Changes{Endpoints: map[store.Key]bool{web: true}}, "EndpointSlice", 0)
		synctest.Wait()
		if w.proxy.reload != 1 || !strings.Contains(w.proxy.items[backend], "10.0.0.2") {
			t.Errorf("after %v there are %d reloads, and nginx has %s", time.Since(at), w.proxy.reload, w.proxy.items[backend])
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.proxy.reload != 2 || !strings.Contains(w.proxy.conf, "c19.example.org") {
			t.Errorf("%d reloads in the end", w.proxy.reload)
		}
		w.wasLive(t, "Ingress 0s", "EndpointSlice 0s", "Ingress 3s")
	})
}

// Pushes that fail are errors in the log once they have failed too often.
func TestFailedPushesAreErrorsInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := &recorder{fail: 5, items: map[string]string{}}
		l := newLane(r.push, fakeObserver{}, 3, slog.New(slog.NewTextHandler(&log, nil)))
		go l.run(t.Context())
		l.send(map[string]string{"a": "1"}, nil, nil)
		<-l.flushed()
		r.fail = 1
		l.send(map[string]string{"a": "2"}, nil, nil)
		<-l.flushed()
		if warnings, errors := strings.Count(log.String(), "level=WARN"), strings.Count(log.String(), "level=ERROR"); warnings != 3+1 || errors != 2 {
			t.Errorf("%d warnings and %d errors in\n%s", warnings, errors, log.String())
		}
	})
}
