package metrics

import (
	"errors"
	"io"
	"math"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/sallyport-ingress/sallyport/nginx"
)

// protobuf scrapes as a Prometheus does that wants native histograms.
func protobuf(t *testing.T, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", string(expfmt.NewFormat(expfmt.TypeProtoDelim)))
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	all := map[string]*dto.MetricFamily{}
	d := expfmt.NewDecoder(strings.NewReader(w.Body.String()), expfmt.NewFormat(expfmt.TypeProtoDelim))
	for {
		var f dto.MetricFamily
		if err := d.Decode(&f); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[f.GetName()] = &f
	}
}

// bucketsOf are a native histogram's, as it says them.
func bucketsOf(h *dto.Histogram) map[int]int64 {
	found := map[int]int64{}
	index, n, at := 0, int64(0), 0
	for _, span := range h.PositiveSpan {
		index += int(span.GetOffset())
		for range span.GetLength() {
			n += h.PositiveDelta[at]
			at++
			if n != 0 {
				found[index] = n
			}
			index++
		}
	}
	return found
}

func TestNativeHistogramsAreShown(t *testing.T) {
	one := series("a", "200", 6)
	one.BytesSent.Native = &nginx.Native{Schema: 3, Threshold: 16, Zero: 1, Indexes: []int{40, 41, 43}, Counts: []float64{2, 1, 2}}
	one.RequestSize.Native = &nginx.Native{Schema: 3, Threshold: 16, Zero: 77} // does not add up
	other := series("b", "200", 3)
	other.BytesSent.Native = &nginx.Native{Schema: 3, Threshold: 16, Indexes: []int{43, 50}, Counts: []float64{1, 2}}
	copied := func(s nginx.Series) nginx.Series {
		n := *s.BytesSent.Native
		n.Indexes, n.Counts = append([]int(nil), n.Indexes...), append([]float64(nil), n.Counts...)
		s.BytesSent.Native = &n
		return s
	}
	for _, c := range []struct {
		most   int
		schema int32
		want   map[int]int64
	}{
		{0, 3, map[int]int64{40: 2, 41: 1, 43: 3, 50: 2}},
		{4, 3, map[int]int64{40: 2, 41: 1, 43: 3, 50: 2}},
		{3, 1, map[int]int64{10: 2, 11: 4, 13: 2}},
		{1, -2, map[int]int64{2: 8}},
	} {
		o := options(&fakeNginx{series: []nginx.Series{copied(one), copied(other)}})
		o.PerHost, o.MaxBuckets = false, c.most
		all := protobuf(t, New(o))
		h := all[prefix+"_bytes_sent"].Metric[0].Histogram
		if diff := cmp.Diff(c.want, bucketsOf(h)); diff != "" || h.GetSchema() != c.schema || h.GetZeroCount() != 1 || h.GetZeroThreshold() != 16 {
			t.Errorf("at most %d: %v, -want +got:\n%s", c.most, h, diff)
		}
		if len(h.Bucket) < 2 || h.GetSampleCount() != 9 {
			t.Errorf("its own buckets are gone: %v", h)
		}
		if h := all[prefix+"_request_size"].Metric[0].Histogram; len(h.PositiveSpan) > 0 || h.GetSampleCount() != 9 {
			t.Errorf("one that does not add up: %v", h)
		}
	}
}

func TestSchemas(t *testing.T) {
	for factor, want := range map[float64]int{0: 0, 1: 0, 1.001: 3, 1.08: 3, 1.1: 3, 1.2: 2, 1.5: 1, 2: 0, 10: 0} {
		got := Schema(factor)
		if got != want {
			t.Errorf("%v: schema %d, want %d", factor, got, want)
		}
		if grows := math.Pow(2, math.Pow(2, -float64(got))); factor >= 1.1 && grows > factor {
			t.Errorf("%v: buckets grow by %v", factor, grows)
		}
	}
}
