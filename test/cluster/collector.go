package cluster

import (
	"context"
	"encoding/hex"
	"net"
	"sync"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// A Told span is one that a collector got.
type Told struct {
	*tracepb.Span
	Service string // of the resource
}

// Text is an attribute that is a text, "" where there is none.
func (s Told) Text(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// A Collector takes spans by OTLP over gRPC.
type Collector struct {
	collectorpb.UnimplementedTraceServiceServer
	mu      sync.Mutex
	spans   []Told
	more    chan struct{} // closed when there are more
	Batches []int         // sizes of the exports
}

// Collect runs a collector at an address until the test ends.
func Collect(t T, address string) *Collector {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("collector: %v", err)
	}
	c := &Collector{more: make(chan struct{})}
	server := grpc.NewServer()
	collectorpb.RegisterTraceServiceServer(server, c)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Errorf("collector: %v", err)
		}
	})
	return c
}

// Export is OTLP's call.
func (c *Collector) Export(_ context.Context, r *collectorpb.ExportTraceServiceRequest) (*collectorpb.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := 0
	for _, resource := range r.ResourceSpans {
		service := ""
		for _, a := range resource.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, scope := range resource.ScopeSpans {
			size += len(scope.Spans)
			for _, s := range scope.Spans {
				c.spans = append(c.spans, Told{s, service})
			}
		}
	}
	c.Batches = append(c.Batches, size)
	close(c.more)
	c.more = make(chan struct{})
	return &collectorpb.ExportTraceServiceResponse{}, nil
}

// Spans are all that came, and a channel that is closed when more do.
func (c *Collector) Spans() ([]Told, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Told(nil), c.spans...), c.more
}

// Await waits for the span whose identity, in hex, is that.
func (c *Collector) Await(t T, span string) Told {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		spans, more := c.Spans()
		for _, s := range spans {
			if hex.EncodeToString(s.SpanId) == span {
				return s
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("span %s never came; %d others did", span, len(spans))
		}
	}
}
