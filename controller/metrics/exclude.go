package metrics

import (
	"slices"
	"strings"
)

// requestMetrics are the metrics that count requests, by their short names.
var requestMetrics = []string{
	"requests", "request_duration_seconds", "connect_duration_seconds", "header_duration_seconds",
	"response_duration_seconds", "request_size", "response_size", "bytes_sent",
}

func short(name string) string {
	return strings.TrimPrefix(strings.TrimSpace(name), prefix+"_")
}

// NoRequestMetric returns the first name that is not one of a metric of
// requests, "" where all are.
func NoRequestMetric(names []string) string {
	for _, name := range names {
		if !slices.Contains(requestMetrics, short(name)) {
			return name
		}
	}
	return ""
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
