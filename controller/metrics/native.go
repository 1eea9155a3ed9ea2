package metrics

import (
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/sallyport-ingress/sallyport/nginx"
)

// maxSchema is the finest that nginx counts by: buckets that grow by 1.09. Each
// step more would double the 10 kB that a series takes.
const maxSchema = 3

// Schema is that of native histograms whose buckets grow by no more than factor:
// as coarse as that allows, from 0 to maxSchema.
func Schema(factor float64) int {
	if factor >= 2 || factor <= 1 {
		return 0
	}
	return min(maxSchema, int(-math.Floor(math.Log2(math.Log2(factor)))))
}

// A both is a histogram with the buckets of a native one beside its own. A
// scraper that does not ask for protobuf gets its own.
type both struct{ own, native prometheus.Metric }

func (b both) Desc() *prometheus.Desc { return b.own.Desc() }

func (b both) Write(out *dto.Metric) error {
	var native dto.Metric
	if err := b.native.Write(&native); err != nil {
		return err
	}
	if err := b.own.Write(out); err != nil {
		return err
	}
	h, n := out.Histogram, native.Histogram
	h.Schema, h.ZeroThreshold, h.ZeroCount = n.Schema, n.ZeroThreshold, n.ZeroCount
	h.PositiveSpan, h.PositiveDelta = n.PositiveSpan, n.PositiveDelta
	return nil
}

// withNative adds a native histogram of no more than most buckets, 0 for any
// number, to a metric; it leaves one alone whose numbers don't add up.
func withNative(own prometheus.Metric, h *nginx.Histogram, most int, labels []string) prometheus.Metric {
	if h.Native == nil || len(h.Native.Indexes) != len(h.Native.Counts) {
		return own
	}
	schema := h.Native.Schema
	buckets := make(map[int]int64, len(h.Native.Indexes))
	for i, index := range h.Native.Indexes {
		buckets[index] += int64(h.Native.Counts[i])
	}
	for most > 0 && len(buckets) > most && schema > -4 {
		buckets, schema = coarser(buckets), schema-1
	}
	native, err := prometheus.NewConstNativeHistogram(own.Desc(), uint64(h.Count), h.Sum, buckets, nil,
		uint64(h.Native.Zero), int32(schema), h.Native.Threshold, time.Time{}, labels...)
	if err != nil {
		return own
	}
	return both{own, native}
}

// coarser puts each two neighbours together that end at a bound of the next schema.
func coarser(buckets map[int]int64) map[int]int64 {
	merged := make(map[int]int64, len(buckets))
	for index, n := range buckets {
		if index > 0 {
			index++
		}
		merged[index/2] += n
	}
	return merged
}

// addNative adds up two of one schema.
func addNative(to, from *nginx.Native) *nginx.Native {
	if to == nil || from == nil || to.Schema != from.Schema {
		return nil
	}
	to.Zero += from.Zero
	for i, index := range from.Indexes {
		if at := slices.Index(to.Indexes, index); at >= 0 {
			to.Counts[at] += from.Counts[i]
			continue
		}
		to.Indexes, to.Counts = append(to.Indexes, index), append(to.Counts, from.Counts[i])
	}
	return to
}
