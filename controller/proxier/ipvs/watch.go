package ipvs

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"
)

// A watch notices that addresses have changed, so that they are not read each
// second. It has one goroutine, which Close ends.
type watch struct {
	changed atomic.Bool
	blind   atomic.Bool // the kernel tells no more: reading is all that is left
	close   func()
}

func openWatch() (*watch, error) {
	w := &watch{}
	w.changed.Store(true)
	updates, done, ended := make(chan netlink.AddrUpdate), make(chan struct{}), make(chan struct{})
	err := netlink.AddrSubscribeWithOptions(updates, done, netlink.AddrSubscribeOptions{
		ErrorCallback: func(error) { w.changed.Store(true) }, // such as news that were lost
	})
	if err != nil {
		return nil, fmt.Errorf("watch addresses: %w", err)
	}
	go func() {
		defer close(ended)
		for range updates {
			w.changed.Store(true)
		}
		w.blind.Store(true)
	}()
	w.close = sync.OnceFunc(func() {
		close(done)
		<-ended
	})
	return w, nil
}

// take says whether addresses may have changed since it was last asked.
func (w *watch) take() bool { return w.changed.Swap(false) || w.blind.Load() }
