package cluster

import (
	"time"
)

const (
	// patience bounds each wait. It is no measure of the product: it only ends a
	// test that would never end, also on a machine that does ten other things.
	patience = 90 * time.Second
	interval = 10 * time.Millisecond
)

// Eventually waits until cond gives no error, for a change to take effect. The
// test ends with cond's last error if that never comes.
func Eventually(t T, what string, cond func() error) {
	t.Helper()
	if err := await(cond); err != nil {
		t.Fatalf("%s: still not after %v: %v", what, patience, err)
	}
}

func await(cond func() error) error {
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := cond()
		if err == nil {
			return nil
		}
		select {
		case <-end.C:
			return err
		case <-tick.C:
		}
	}
}
