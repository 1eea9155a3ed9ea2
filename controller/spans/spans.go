// Package spans takes the spans of traced requests out of nginx and tells a
// collector of them, by OTLP over gRPC.
//
// nginx never waits for the collector: it keeps a bounded queue, which is
// emptied here. What the collector does not take is dropped, counted, and said
// once, until it takes spans again.
package spans

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/nginx"
)

// uploadTimeout is how long the collector may take for one batch, tries at a
// restarted one included.
const uploadTimeout = 10 * time.Second

// lastTimeout is how long the end of the process waits for the collector.
const lastTimeout = 2 * time.Second

// look is how often the queue is looked at, so that a full batch waits no
// longer.
const look = 200 * time.Millisecond

// A Queue gives up to most spans, if there are least, and how many were dropped
// since it was asked last.
type Queue func(ctx context.Context, least, most int) (spans []nginx.Span, dropped int, err error)

// Counts are of all spans since the start.
type Counts struct {
	Exported atomic.Uint64
	Full     atomic.Uint64 // dropped: nginx's queue was full
	Refused  atomic.Uint64 // dropped: the collector did not take them
}

// An Exporter is what empties the queue.
type Exporter struct {
	Counts Counts

	queue    Queue
	log      *slog.Logger
	settings chan model.Spans // has room for the newest

	told   model.Spans
	client otlptrace.Client // nil where nobody is told
	failed bool             // the last batch was not taken
	full   bool             // the last look found that spans were dropped
}

// New makes an exporter that tells nobody until Configure says whom.
func New(queue Queue, log *slog.Logger) *Exporter {
	return &Exporter{queue: queue, log: log, settings: make(chan model.Spans, 1)}
}

// Configure says who is told, and how. It does not block, and is for one
// goroutine.
func (e *Exporter) Configure(s model.Spans) {
	select {
	case <-e.settings: // which nobody has read yet
	default:
	}
	e.settings <- s
}

// Run exports until ctx ends, and then what is left.
func (e *Exporter) Run(ctx context.Context) error {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			final, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTimeout)
			defer cancel()
			e.empty(final, 1)
			e.change(final, model.Spans{})
			return nil
		case s := <-e.settings:
			e.change(ctx, s)
		case now := <-ticker.C:
			least := e.told.Batch
			if now.Sub(last) >= e.told.Delay {
				least, last = 1, now
			}
			e.empty(ctx, least)
		}
	}
}

// change takes another collector's client where the settings are others.
func (e *Exporter) change(ctx context.Context, s model.Spans) {
	if s == e.told {
		return
	}
	if e.client != nil {
		if err := e.client.Stop(ctx); err != nil {
			e.log.Debug("spans: closing the connection to the collector", "error", err)
		}
	}
	e.client, e.told = nil, s
	if s.Collector == "" {
		return
	}
	client := otlptracegrpc.NewClient(
		otlptracegrpc.WithEndpoint(s.Collector), otlptracegrpc.WithInsecure(), otlptracegrpc.WithTimeout(uploadTimeout),
		otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{}), // it would hold up what comes after
	)
	if err := client.Start(ctx); err != nil {
		e.log.Error("spans: no client for the collector", "collector", s.Collector, "error", err)
		return
	}
	e.client = client
}

// empty exports batches as long as there are at least that many spans.
func (e *Exporter) empty(ctx context.Context, least int) {
	for e.client != nil {
		spans, dropped, err := e.queue(ctx, least, e.told.Batch)
		if err != nil {
			e.log.Debug("spans: nginx is not asked", "error", err)
			return
		}
		e.dropped(dropped)
		if len(spans) == 0 {
			return
		}
		e.upload(ctx, spans)
		if len(spans) < e.told.Batch {
			return
		}
	}
}

func (e *Exporter) dropped(n int) {
	e.Counts.Full.Add(uint64(n))
	if n > 0 && !e.full {
		e.log.Warn("spans are dropped: more come than are exported; otel-max-queuesize is how many may wait", "spans", n)
	}
	e.full = n > 0
}

func (e *Exporter) upload(ctx context.Context, spans []nginx.Span) {
	ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	err := e.client.UploadTraces(ctx, request(e.told.Service, spans))
	if err == nil {
		if e.failed {
			e.log.Info("spans: the collector takes them again", "collector", e.told.Collector)
		}
		e.failed = false
		e.Counts.Exported.Add(uint64(len(spans)))
		return
	}
	e.Counts.Refused.Add(uint64(len(spans)))
	if !e.failed && !errors.Is(err, context.Canceled) {
		e.log.Error("spans are lost until the collector takes them", "collector", e.told.Collector, "error", err)
	}
	e.failed = true
}
