package compat

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

const (
	clientTrace = "0af7651916cd43dd8448eb211c80319c"
	clientSpan  = "b7ad6b7169203331"
)

var traceparent = regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])$`)

// carried is a request with those headers, and the context that the backend got:
// trace, span and flags, or none.
func carried(c client, headers ...string) (cluster.Response, []string) {
	h := http.Header{"Tracestate": {"a=b"}}
	for _, text := range headers {
		name, value, _ := strings.Cut(text, ": ")
		h.Set(name, value)
	}
	r := c.do(cluster.Request{URL: "http://HOST/", Header: h})
	if got := traceparent.FindStringSubmatch(r.Seen.Header.Get("Traceparent")); got != nil {
		return r, got[1:]
	}
	return r, nil
}

// traced says which trace the backend is told of.
func traced(headers ...string) func(c client) string {
	return func(c client) string {
		r, got := carried(c, headers...)
		switch {
		case got == nil:
			return "none"
		case got[1] == clientSpan:
			return "the client's span"
		case strings.HasSuffix(got[0], clientTrace[16:]):
			return "the client's, " + r.Seen.Header.Get("Tracestate") + ", " + got[2]
		}
		return "a new one, " + r.Seen.Header.Get("Tracestate") + ", " + got[2]
	}
}

// b3 is what the backend is told in B3's headers.
func b3(headers ...string) func(c client) string {
	return func(c client) string {
		r, got := carried(c, headers...)
		if got == nil {
			return "none"
		}
		h := r.Seen.Header
		text := strings.Join([]string{h.Get("B3"), h.Get("X-B3-TraceId"), h.Get("X-B3-SpanId"), h.Get("X-B3-ParentSpanId"), h.Get("X-B3-Sampled"), h.Get("X-B3-Flags")}, "|")
		return strings.NewReplacer(got[0], "TRACE", got[1], "SPAN", clientSpan, "CLIENT").Replace(text)
	}
}

// exported is what the collector is told of a request.
func exported(all **cluster.Collector, headers ...string) func(c client) string {
	return func(c client) string {
		_, got := carried(c, headers...)
		if got == nil {
			return "none"
		}
		s := (*all).Await(c.t, got[1])
		parent := "the root"
		if hex.EncodeToString(s.ParentSpanId) == clientSpan {
			parent = "the client's child"
		}
		if hex.EncodeToString(s.TraceId) != got[0] || s.EndTimeUnixNano < s.StartTimeUnixNano || s.StartTimeUnixNano == 0 {
			return fmt.Sprint("not as it should be: ", s)
		}
		return fmt.Sprintf("%s %q, %s of %s, %s %s", s.Service, s.Name, parent, s.Text("ingress.service_name"), s.Text("http.method"), s.Text("http.target"))
	}
}

// untold says whether a request is kept from the collector: another one comes
// after it, and is told.
func untold(all **cluster.Collector, headers ...string) func(c client) string {
	return func(c client) string {
		_, first := carried(c, headers...)
		_, second := carried(c, "traceparent: 00-"+clientTrace+"-"+clientSpan+"-01")
		if first == nil || second == nil {
			return "none"
		}
		(*all).Await(c.t, second[1])
		spans, _ := (*all).Spans()
		for _, s := range spans {
			if hex.EncodeToString(s.SpanId) == first[1] {
				return "told"
			}
		}
		return "untold, " + first[2]
	}
}

const (
	w3c    = "traceparent: 00-" + clientTrace + "-" + clientSpan
	single = "b3: " + clientTrace + "-" + clientSpan
)

func tracingGroup() group {
	var all *cluster.Collector
	settings := map[string]string{"otlp-collector-port": "4317", "otel-schedule-delay-millis": "100", "otel-service-name": "edge"}
	on := func(more ...string) map[string]string {
		a := map[string]string{"enable-opentelemetry": "true"}
		for i := 0; i < len(more); i += 2 {
			a[more[i]] = more[i+1]
		}
		return a
	}
	return group{name: "tracing", settings: settings, objects: func(t *testing.T, g *site) string {
		all = cluster.Collect(t, g.address(10)+":4317")
		settings["otlp-collector-host"] = g.address(10)
		return ""
	}, cases: []proof{
		{
			keys: []string{"enable-opentelemetry"}, annotations: on(),
			probes: []probe{
				{"none", traced(), "a new one, , 01"}, {"good", traced(w3c + "-01"), "the client's, a=b, 01"}, {"unsampled", traced(w3c + "-00"), "the client's, a=b, 00"},
				{"too long", traced(w3c + "-01-x"), "a new one, , 01"}, {"later version", traced("traceparent: 01-" + clientTrace + "-" + clientSpan + "-01-x"), "the client's, a=b, 01"},
				{"no version", traced("traceparent: ff-" + clientTrace + "-" + clientSpan + "-01"), "a new one, , 01"},
				{"zero", traced("traceparent: 00-00000000000000000000000000000000-" + clientSpan + "-01"), "a new one, , 01"},
				{"upper case", traced("traceparent: 00-" + strings.ToUpper(clientTrace) + "-" + clientSpan + "-01"), "a new one, , 01"},
				{"other dashes", traced("traceparent: 00_" + clientTrace + "_" + clientSpan + "_01"), "a new one, , 01"},
				{"long", traced("traceparent: " + strings.Repeat("0", 4000)), "a new one, , 01"},
				{"b3", traced(single + "-1"), "the client's, a=b, 01"}, {"b3 unsampled", traced(single + "-0"), "the client's, a=b, 00"}, {"b3 open", traced(single), "the client's, a=b, 01"},
				{"b3 debug", traced(single + "-d-" + clientSpan), "the client's, a=b, 01"}, {"b3 nonsense", traced("b3: " + strings.Repeat("-", 100)), "a new one, , 01"},
				{"short b3", traced("b3: " + clientTrace[16:] + "-" + clientSpan + "-1"), "the client's, a=b, 01"},
				{"X-B3", traced("X-B3-TraceId: "+clientTrace, "X-B3-SpanId: "+clientSpan, "X-B3-Sampled: 0"), "the client's, a=b, 00"},
				{"X-B3 debug", traced("X-B3-TraceId: "+clientTrace, "X-B3-SpanId: "+clientSpan, "X-B3-Flags: 1"), "the client's, a=b, 01"},
				{"X-B3 half", traced("X-B3-TraceId: " + clientTrace), "a new one, , 01"},
				{"b3 out", b3(single + "-1"), "TRACE-SPAN-1-CLIENT|||||"}, {"no b3 out", b3(w3c + "-01"), "|||||"},
				{"X-B3 out", b3("X-B3-TraceId: "+clientTrace, "X-B3-SpanId: "+clientSpan, "X-B3-Flags: 1", "X-B3-ParentSpanId: x"), "|TRACE|SPAN|CLIENT|1|"},
				{"told", exported(&all), `edge "GET /", the root of web, GET /`}, {"told as a child", exported(&all, w3c+"-01"), `edge "GET /", the client's child of web, GET /`},
				{"untold", untold(&all, w3c+"-00"), "untold, 00"},
			},
		}, {
			keys: []string{"opentelemetry-trust-incoming-span"}, annotations: on("opentelemetry-trust-incoming-span", "false"),
			probes: []probe{
				{"good", traced(w3c + "-00"), "a new one, , 01"}, {"b3", traced(single + "-0"), "a new one, , 01"},
				{"b3 out", b3(single + "-0-" + clientSpan), "TRACE-SPAN-1|||||"}, {"X-B3 out", b3("X-B3-Sampled: 0", "X-B3-ParentSpanId: "+clientSpan), "|TRACE|SPAN||1|"},
			},
		}, {
			keys: []string{"opentelemetry-operation-name"}, annotations: on("opentelemetry-operation-name", "shop-$request_method-$service_name"),
			probes: []probe{{"told", exported(&all), `edge "shop-GET-web", the root of web, GET /`}},
		},
	}}
}
