package nginx

import "context"

// A Series counts the requests of one route, method and status, since nginx
// started.
type Series struct {
	Host      string `json:"host"`
	Path      string `json:"path"`
	Namespace string `json:"namespace"`
	Ingress   string `json:"ingress"`
	Service   string `json:"service"`
	Canary    string `json:"canary"`
	Method    string `json:"method"` // "OTHER" for one that HTTP does not know
	Status    string `json:"status"`

	Requests         float64   `json:"requests"`
	RequestDuration  Histogram `json:"request_duration"` // seconds, as all durations
	ConnectDuration  Histogram `json:"connect_duration"`
	HeaderDuration   Histogram `json:"header_duration"`
	ResponseDuration Histogram `json:"response_duration"`
	RequestSize      Histogram `json:"request_size"` // bytes, as all sizes
	ResponseSize     Histogram `json:"response_size"`
	BytesSent        Histogram `json:"bytes_sent"`
}

// A Histogram has one bucket for each bound, which counts the values up to it
// and above the bound before, and a last one for those above all.
type Histogram struct {
	Sum     float64   `json:"sum"`
	Count   float64   `json:"count"`
	Buckets []float64 `json:"buckets"`
	Native  *Native   `json:"native"` // nil: not counted
}

// A Native has the same values in the buckets of Prometheus's native histograms.
type Native struct {
	Schema    int       `json:"schema"`
	Threshold float64   `json:"threshold"` // up to which a value counts as zero
	Zero      float64   `json:"zero"`      // how many do
	Indexes   []int     `json:"indexes"`   // of the buckets that are not empty
	Counts    []float64 `json:"counts"`    // in them
}

// Requests returns nginx's counters of finished requests. Those of the last
// second may be missing, but never go backwards. The number is that of requests
// for which there was no row: the series of the Ingress _folded count them.
func (f *Folder) Requests(ctx context.Context) ([]Series, float64, error) {
	var v struct {
		Series   []Series
		Overflow float64
	}
	if err := f.control.get(ctx, "/requests", &v); err != nil {
		return nil, 0, err
	}
	return v.Series, v.Overflow, nil
}
