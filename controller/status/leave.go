package status

import (
	"context"
	"errors"
	"time"
)

// When leaving there is not much time, and nothing else is going on.
const leaveRate, leaveTime = 200, 20 * time.Second

// leave takes our addresses out of all Ingresses, unless another replica is
// there to go on.
func (w *Writer) leave(term context.Context) {
	ctx, cancel := context.WithTimeout(term, leaveTime)
	defer cancel()
	state, _ := w.latest()
	if state == nil {
		return
	}
	alone, err := w.pods.alone(ctx)
	if err != nil {
		w.log.Warn("addresses stay in the status of Ingresses: other replicas may run", "error", err)
		return
	}
	if !alone {
		w.log.Info("addresses stay in the status of Ingresses for the other replicas")
		return
	}
	ours, err := w.find(ctx)
	if err != nil {
		if !errors.Is(err, errNotReady) && !errors.Is(err, errNoPod) {
			w.log.Warn("addresses stay in the status of Ingresses", "error", err)
		}
		return
	}
	done, failed := 0, 0
	var first error
	for _, err := range w.statusWriter(leaveRate, leaveRate).all(ctx, state.Ingresses, ours.without) {
		if err == nil {
			done++
		} else {
			failed, first = failed+1, err
		}
	}
	if failed > 0 {
		w.log.Warn("addresses stay in the status of some Ingresses", "ingresses", failed, "error", first)
	}
	w.log.Info("addresses are out of the status of Ingresses", "ingresses", done)
}
