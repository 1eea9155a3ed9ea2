package controller

import (
	"context"
	"errors"
	"testing"

	"github.com/sallyport-ingress/sallyport/controller/store"
)

// Whoever looks keeps what they saw, whatever becomes of it.
func TestLook(t *testing.T) {
	run(t, func(w *world) {
		l, err := w.controller.Look(context.Background())
		if err != nil || string(l.Conf) != w.proxy.conf || l.Generation == "" || l.Pending {
			t.Fatalf("%v, generation %q, pending %v", err, l.Generation, l.Pending)
		}
		w.endpoint("10.0.0.2")
		w.store.change(store.Changes{Endpoints: map[store.Key]bool{web: true}})
		later, err := w.controller.Look(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"10.0.0.1:8080", "10.0.0.2:8080"} {
			r := []Look{l, later}[i].Result
			if got := r.Config.Backends["default/web/80"].Endpoints[0].Address.String(); got != want {
				t.Errorf("look %d: endpoint %s, want %s", i, got, want)
			}
		}
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		c, err := New(w.controller.o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Look(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("a loop that never ran: %v", err)
		}
		if err := c.Run(ended); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Look(context.Background()); err == nil {
			t.Error("a loop that ended answers")
		}
	})
}
