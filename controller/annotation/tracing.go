package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Tracing is spans of requests.
type Tracing struct{}

func readTracing(_ *option.Reader) Tracing { return Tracing{} }
