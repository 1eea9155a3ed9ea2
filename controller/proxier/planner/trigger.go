package planner

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// A trigger is when something happened that made a slice change.
type trigger struct {
	slice string
	at    time.Time
}

// trigger takes in a service's triggers, and tells of those that are newer than
// before where its slices are fresh.
func (p *Planner) trigger(u *Update, who *service, sorted []*discoveryv1.EndpointSlice, fresh bool) {
	if !fresh && len(who.seen) > 0 {
		return
	}
	var seen []trigger
	for _, s := range sorted {
		text, said := s.Annotations[corev1.EndpointsLastChangeTriggerTime]
		if !said {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			continue
		}
		before, known := slices.BinarySearchFunc(who.seen, s.Name, func(t trigger, name string) int { return cmp.Compare(t.slice, name) })
		if known && !at.After(who.seen[before].at) {
			at = who.seen[before].at
		} else if fresh {
			u.Triggers = append(u.Triggers, at)
		}
		seen = append(seen, trigger{s.Name, at})
	}
	who.seen = seen
}
