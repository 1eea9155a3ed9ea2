package metrics

// DefaultTimeBuckets are ingress-nginx's bounds for durations, in seconds.
func DefaultTimeBuckets() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
}

// DefaultLengthBuckets are its bounds for the sizes of requests and responses,
// in bytes.
func DefaultLengthBuckets() []float64 { return []float64{10, 20, 30, 40, 50, 60, 70, 80, 90, 100} }

// DefaultSizeBuckets are its bounds for bytes sent.
func DefaultSizeBuckets() []float64 { return []float64{10, 100, 1000, 1e4, 1e5, 1e6, 1e7} }
