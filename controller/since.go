package controller

import (
	"time"

	"github.com/sallyport-ingress/sallyport/controller/store"
)

// since says when the first of the changes of each kind came that nginx does not
// have yet.
type since map[string]time.Time

// add takes in others.
func (s *since) add(others map[string]time.Time) {
	for kind, at := range others {
		if *s == nil {
			*s = since{}
		}
		if before, ok := (*s)[kind]; !ok || at.Before(before) {
			(*s)[kind] = at
		}
	}
}

// changedAt is when the endpoints changed; what else did has come to nothing.
func changedAt(ch store.Changes) since {
	const slices = "EndpointSlice"
	at, ok := ch.Since[slices]
	if !ok {
		return nil
	}
	return since{slices: at}
}

// live tells of changes that nginx has now.
func live(observe func(kind string, took time.Duration), s since) {
	for kind, at := range s {
		observe(kind, time.Since(at))
	}
}
