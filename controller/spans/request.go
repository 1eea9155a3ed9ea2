package spans

import (
	"encoding/hex"
	"math"
	"strings"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/sallyport-ingress/sallyport/nginx"
)

// request is spans as OTLP has them.
func request(service string, spans []nginx.Span) []*tracepb.ResourceSpans {
	scope := &tracepb.ScopeSpans{Scope: &commonpb.InstrumentationScope{Name: "sallyport"}}
	for _, s := range spans {
		scope.Spans = append(scope.Spans, span(s))
	}
	return []*tracepb.ResourceSpans{{
		Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{text("service.name", service)}},
		ScopeSpans: []*tracepb.ScopeSpans{scope},
	}}
}

// span has the attribute names that ingress-nginx's spans had, which are those of
// OpenTelemetry's semantic conventions before 1.20.
func span(s nginx.Span) *tracepb.Span {
	out := &tracepb.Span{
		TraceId: identity(s.Trace), SpanId: identity(s.Span), ParentSpanId: identity(s.Parent), TraceState: s.State,
		Name: s.Name, Kind: tracepb.Span_SPAN_KIND_SERVER,
		StartTimeUnixNano: nanoseconds(s.Start), EndTimeUnixNano: nanoseconds(s.Finish),
		Status: &tracepb.Status{},
	}
	if s.Status >= 500 {
		out.Status.Code = tracepb.Status_STATUS_CODE_ERROR
	}
	for _, a := range []*commonpb.KeyValue{
		text("http.method", s.Method), text("http.target", s.Target), text("http.host", s.Host), text("http.server_name", s.Server),
		text("http.scheme", s.Scheme), text("http.flavor", strings.TrimPrefix(s.Protocol, "HTTP/")), text("http.user_agent", s.Agent),
		text("net.peer.ip", s.Client), text("ingress.namespace", s.Namespace), text("ingress.name", s.Ingress),
		text("ingress.service_name", s.Service), text("ingress.upstream", s.Upstream), text("ingress.endpoint", s.Endpoint),
	} {
		if a.Value.GetStringValue() != "" {
			out.Attributes = append(out.Attributes, a)
		}
	}
	out.Attributes = append(out.Attributes, number("http.status_code", s.Status), number("net.host.port", s.Port), number("net.peer.port", s.ClientPort))
	return out
}

// identity is nil for what is no hex, as for "".
func identity(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil
	}
	return b
}

// nanoseconds are whole milliseconds: that is how fine nginx measures.
func nanoseconds(seconds float64) uint64 { return uint64(math.Round(seconds*1e3)) * 1e6 }

func text(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

func number(key string, value int) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(value)}}}
}
