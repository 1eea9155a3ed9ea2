package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier"
	"github.com/sallyport-ingress/sallyport/controller/proxier/metrics"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A kernel that doesn't take back what somebody deleted makes the node
// unhealthy in the end, though no object has changed; and healthy again once it
// took it.
func TestAKernelThatStaysEmptyIsUnhealthy(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	w := newWatcher(&options{SyncPeriod: 30 * time.Second}, "nftables", func() bool { return true }, metrics.New(metrics.Options{Mode: "nftables"}), log)
	defer w.ports.Close()
	later := func() time.Time { return time.Now().Add(2 * time.Minute) }
	programmed := func() { w.Programmed(proxier.Round{Plan: &plan.Plan{}, Begun: time.Now(), Full: true}) }
	programmed()
	if !w.state.Healthy(later()) {
		t.Error("unhealthy with nothing to do")
	}
	w.Failed(true)
	if w.state.Healthy(later()) {
		t.Error("healthy two minutes after the kernel refused, and nothing since")
	}
	programmed()
	if !w.state.Healthy(later()) {
		t.Error("unhealthy after the kernel took all")
	}
}
