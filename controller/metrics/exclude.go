package metrics

import (
	"slices"
	"strings"
)

func short(name string) string {
	return strings.TrimPrefix(strings.TrimSpace(name), prefix+"_")
}

// NoRequestMetric returns the first name that is not one of a metric of
// requests, "" where all are.
func NoRequestMetric(names []string) string {
	for _, name := range names {
		if !excludable(short(name)) {
			return name
		}
	}
	return ""
}

func excludable(name string) bool {
	return slices.ContainsFunc(ofRequests, func(m Metric) bool { return m.Name == name && !m.Ours })
}

// exclude takes a metric out of what is shown; nginx counts it all the same.
func (r *requests) exclude(name string) {
	name = short(name)
	if name == "requests" {
		r.uncounted = true
	}
	r.histograms = slices.DeleteFunc(r.histograms, func(h histogram) bool { return h.name == name })
}

// class is "2xx" of "204".
func class(status string) string {
	if len(status) != 3 {
		return status
	}
	return status[:1] + "xx"
}
