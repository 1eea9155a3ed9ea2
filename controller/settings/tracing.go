package settings

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

var anyPath = option.Pattern(`.*`, "a path")

func readTracing(r *option.Reader, s *model.Settings) {
	s.OpenTelemetry = flag(r, "enable-opentelemetry", false, "Makes each request a span, and gives the endpoint its context: the header traceparent of W3C's Trace Context, and the B3 headers where the client sent such.")
	s.TrustIncomingSpan = flag(r, "opentelemetry-trust-incoming-span", true, "Goes on with the trace that a client's traceparent, b3 or X-B3 headers tell.")
	s.SpanName = option.Key[option.List]{
		Name: "opentelemetry-operation-name", Check: annotation.SpanName, DefaultDoc: "the method and the Ingress's path",
		Doc: "What a request's span is called.",
	}.Get(r)
	host := text(r, "otlp-collector-host", "", collectorHost, "The host of the collector that gets the spans by OTLP over gRPC, unencrypted. Without one, contexts are handed on and no spans are told.")
	port := number(r, "otlp-collector-port", 4317, 1, 65535, "The collector's port.")
	if host != "" {
		s.Spans.Collector = net.JoinHostPort(host, strconv.Itoa(port))
	}
	s.Spans.Service = text(r, "otel-service-name", "nginx", serviceName, "The service.name by which the collector knows this nginx.")
	s.Spans.Sampler = text(r, "otel-sampler", "AlwaysOn", option.OneOf("AlwaysOn", "AlwaysOff", "TraceIdRatioBased"), "Which traces that begin here are recorded: all, none, or the ratio of `otel-sampler-ratio`.")
	s.Spans.Ratio = option.Key[float64]{
		Name: "otel-sampler-ratio", Default: 0.01, Check: ratio, Doc: "The part of traces that TraceIdRatioBased records.",
	}.Get(r)
	s.Spans.ParentBased = flag(r, "otel-sampler-parent-based", true, "Records a trace that a client began, and that goes on here, as the client says; `false`: as `otel-sampler` says.")
	s.Spans.Queue = number(r, "otel-max-queuesize", 2048, 1, 65536, "How many spans nginx keeps until they are exported; more are dropped, and counted.")
	s.Spans.Batch = number(r, "otel-max-export-batch-size", 512, 1, 65536, "How many spans are exported at once. As soon as there are so many, they are; it is at most `otel-max-queuesize`.")
	s.Spans.Batch = min(s.Spans.Batch, s.Spans.Queue)
	s.Spans.Delay = milliseconds(r, "otel-schedule-delay-millis", 5000, "How many milliseconds a span waits at most before it is exported.")
	if _, ok := (option.Key[string]{
		Name: "opentelemetry-config", Check: anyPath, DefaultDoc: "none", Doc: "Has no effect: the other keys say all.",
	}).Lookup(r); ok {
		r.Warn("opentelemetry-config", "has no effect: the otel and otlp keys say all")
	}
}

var serviceName = option.Pattern(`[-A-Za-z0-9 _./:]{1,200}`, "up to 200 letters, digits, spaces and `-_./:`")

var collectorHost = option.Check[string]{
	Values: "a host name or an IP address",
	Parse: func(s string) (string, error) {
		if _, err := netip.ParseAddr(s); err == nil {
			return s, nil
		}
		return option.DNSName.Parse(s)
	},
}

var ratio = option.Check[float64]{
	Values: "a number from 0 to 1",
	Parse: func(s string) (float64, error) {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || !(v >= 0 && v <= 1) {
			return 0, fmt.Errorf("%.80q is not a number from 0 to 1", s)
		}
		return v, nil
	},
}
