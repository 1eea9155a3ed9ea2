package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-ingress/sallyport/nginx"
)

// scrapeTimeout is how long nginx may take to answer a scrape.
const scrapeTimeout = 5 * time.Second

// requests asks nginx for its counters of requests, and shows them.
type requests struct {
	o          Options
	total      *prometheus.Desc
	histograms []histogram
	failures   prometheus.Counter
	folded     *prometheus.Desc
	uncounted  bool // total is not shown
}

// A histogram is one of a series' histograms, and how it is shown.
type histogram struct {
	name   string
	desc   *prometheus.Desc
	bounds []float64
	of     func(*nginx.Series) *nginx.Histogram
}

func newRequests(o Options, labels prometheus.Labels) *requests {
	names := perRequest
	if !o.PerHost {
		names = names[:len(names)-1]
	}
	shown := func(name string, bounds []float64, of func(*nginx.Series) *nginx.Histogram) histogram {
		return histogram{name, desc(name, names, labels), bounds, of}
	}
	b := o.Buckets
	r := &requests{
		o:     o,
		total: desc("requests", names, labels),
		histograms: []histogram{
			shown("request_duration_seconds", b.Time, func(s *nginx.Series) *nginx.Histogram { return &s.RequestDuration }),
			shown("connect_duration_seconds", b.Time, func(s *nginx.Series) *nginx.Histogram { return &s.ConnectDuration }),
			shown("header_duration_seconds", b.Time, func(s *nginx.Series) *nginx.Histogram { return &s.HeaderDuration }),
			shown("response_duration_seconds", b.Time, func(s *nginx.Series) *nginx.Histogram { return &s.ResponseDuration }),
			shown("request_size", b.Length, func(s *nginx.Series) *nginx.Histogram { return &s.RequestSize }),
			shown("response_size", b.Length, func(s *nginx.Series) *nginx.Histogram { return &s.ResponseSize }),
			shown("bytes_sent", b.Size, func(s *nginx.Series) *nginx.Histogram { return &s.BytesSent }),
		},
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: prefix, Name: "scrape_errors_total", ConstLabels: labels, Help: named("scrape_errors_total").Help,
		}),
		folded: desc("folded_requests_total", nil, labels),
	}
	for _, name := range o.Excluded {
		r.exclude(name)
	}
	return r
}

// Describe is part of prometheus.Collector.
func (r *requests) Describe(ch chan<- *prometheus.Desc) {
	ch <- r.folded
	if !r.uncounted {
		ch <- r.total
	}
	for _, h := range r.histograms {
		ch <- h.desc
	}
	r.failures.Describe(ch)
}

// Collect is part of prometheus.Collector.
func (r *requests) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	series, folded, err := r.o.Nginx.Requests(ctx)
	if err != nil {
		r.failures.Inc()
	} else {
		ch <- prometheus.MustNewConstMetric(r.folded, prometheus.CounterValue, folded)
	}
	r.failures.Collect(ch)
	for values, s := range r.merge(series) {
		labels := values[:]
		if !r.o.PerHost {
			labels = labels[:len(labels)-1]
		}
		if !r.uncounted {
			ch <- prometheus.MustNewConstMetric(r.total, prometheus.CounterValue, s.Requests, labels...)
		}
		for _, h := range r.histograms {
			if v := h.of(s); v.Count >= 1 && len(v.Buckets) == len(h.bounds)+1 {
				own := prometheus.MustNewConstHistogram(h.desc, uint64(v.Count), v.Sum, cumulate(h.bounds, v.Buckets), labels...)
				ch <- withNative(own, v, r.o.MaxBuckets, labels)
			}
		}
	}
}

// merge adds up the series that have the same labels.
func (r *requests) merge(series []nginx.Series) map[[8]string]*nginx.Series {
	merged := make(map[[8]string]*nginx.Series, len(series))
	for i := range series {
		s := &series[i]
		if r.o.StatusClasses {
			s.Status = class(s.Status)
		}
		if s.Namespace == "" && !r.o.PerUndefinedHost {
			continue
		}
		labels := [8]string{s.Status, s.Method, s.Path, s.Namespace, s.Ingress, s.Service, s.Canary, s.Host}
		if !r.o.PerHost {
			labels[7] = ""
		}
		for i := range labels {
			labels[i] = text(labels[i])
		}
		sum := merged[labels]
		if sum == nil {
			merged[labels] = s
			continue
		}
		sum.Requests += s.Requests
		for _, h := range r.histograms {
			add(h.of(sum), h.of(s))
		}
	}
	return merged
}

func add(to, from *nginx.Histogram) {
	to.Native = addNative(to.Native, from.Native)
	to.Sum += from.Sum
	to.Count += from.Count
	if len(to.Buckets) < len(from.Buckets) {
		to.Buckets = append(to.Buckets, make([]float64, len(from.Buckets)-len(to.Buckets))...)
	}
	for i, n := range from.Buckets {
		to.Buckets[i] += n
	}
}

// cumulate turns counts between bounds into counts up to bounds.
func cumulate(bounds, counts []float64) map[float64]uint64 {
	buckets := make(map[float64]uint64, len(bounds))
	var sum float64
	for i, bound := range bounds {
		sum += counts[i]
		buckets[bound] = uint64(sum)
	}
	return buckets
}
