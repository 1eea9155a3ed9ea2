package model

import (
	"time"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Tracing says that requests carry the context of a trace.
type Tracing struct {
	On    bool        `json:"on"`
	Trust bool        `json:"trust,omitzero"` // go on with the client's
	Name  option.List `json:"name,omitzero"`  // an option.Template: what the span is called
}

// Spans is how what requests came to is told a collector.
type Spans struct {
	Collector   string // host:port of OTLP over gRPC; "": nobody is told
	Service     string // service.name of the resource
	Sampler     string // AlwaysOn, AlwaysOff or TraceIdRatioBased
	Ratio       float64
	ParentBased bool // the client's sampled flag decides, where its trace goes on
	Queue       int  // spans that nginx keeps until they are fetched
	Batch       int  // spans in one export
	Delay       time.Duration
}
