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
}

// Requests returns nginx's counters of finished requests. Those of the last
// second may be missing, but never go backwards.
func (f *Folder) Requests(ctx context.Context) ([]Series, error) {
	var v struct {
		Series   []Series
		Overflow float64
	}
	if err := f.control.get(ctx, "/requests", &v); err != nil {
		return nil, err
	}
	if v.Overflow > 0 {
		f.log.Warn("requests are missing from the counters: too many routes, methods and statuses",
			"requests", v.Overflow)
	}
	return v.Series, nil
}
