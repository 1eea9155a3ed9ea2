package store

import (
	"context"
	"path/filepath"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// debounce turns bursts of events into single ones: each comes when the burst
// has been quiet for a moment, or has lasted too long.
func debounce(ctx context.Context, happened <-chan struct{}) <-chan struct{} {
	out := make(chan struct{}, 1)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-happened:
			}
			if !calm(ctx, happened) {
				return
			}
			notify(out)
		}
	}()
	return out
}

// calm waits for the end of a burst that has just begun. It is false when ctx
// ends first.
func calm(ctx context.Context, happened <-chan struct{}) bool {
	deadline := time.NewTimer(most)
	defer deadline.Stop()
	lull := time.NewTimer(quiet)
	defer lull.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-happened:
			lull.Reset(quiet)
		case <-lull.C:
			return true
		case <-deadline.C:
			return true
		}
	}
}

// below says whether a file is one of these, or in a folder that is.
func below(name string, problems map[string][]model.Problem) bool {
	for {
		if _, ok := problems[name]; ok {
			return true
		}
		parent := filepath.Dir(name)
		if parent == name {
			return false
		}
		name = parent
	}
}
