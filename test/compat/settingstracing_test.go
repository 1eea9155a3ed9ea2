package compat

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// tracingKeys are about spans, and the collector that is told of them.
func tracingKeys() map[string]keyProof {
	var all *cluster.Collector
	// spans have a collector at another port than the usual one.
	spans := func(want string, ask func(client) string, keys []string, pairs ...string) keyProof {
		p := keyProof{keys: keys, settings: map[string]string{"enable-opentelemetry": "true", "otlp-collector-port": "4318"}, want: want, ask: plainly(ask)}
		for i := 0; i < len(pairs); i += 2 {
			p.settings[pairs[i]] = pairs[i+1]
		}
		p.prepare = func(t *testing.T, p *keyProof, g *site) {
			all = cluster.Collect(t, g.address(10)+":4318")
			p.settings["otlp-collector-host"] = g.address(10)
		}
		return p
	}
	// soon says under which name the collector is told of a request within some
	// seconds; to wait in vain only hides that a key is not proven.
	soon := func(c client) string {
		_, got := carried(c)
		end := time.NewTimer(3 * time.Second)
		defer end.Stop()
		for {
			told, more := all.Spans()
			for _, s := range told {
				if len(got) > 1 && hex.EncodeToString(s.SpanId) == got[1] {
					return s.Service
				}
			}
			select {
			case <-more:
			case <-end.C:
				return "nobody"
			}
		}
	}
	// sampled says how many of ten traces are.
	sampled := func(headers ...string) func(client) string {
		return func(c client) string {
			n := 0
			for range 10 {
				if _, got := carried(c, headers...); len(got) == 3 && got[2] == "01" {
					n++
				}
			}
			return fmt.Sprint(n)
		}
	}
	one := func(key string) []string { return []string{key} }
	const long = "3600000"
	return joined(numbered(
		spans("edge", soon, strings.Fields("otlp-collector-host otlp-collector-port otel-service-name otel-schedule-delay-millis enable-opentelemetry"),
			"otel-service-name", "edge", "otel-schedule-delay-millis", "100"),
		spans("nginx", soon, one("otel-max-export-batch-size"), "otel-max-export-batch-size", "1", "otel-schedule-delay-millis", long),
		spans("nginx", soon, one("otel-max-queuesize"), "otel-max-queuesize", "1", "otel-schedule-delay-millis", long), // a batch is no longer than it
		spans("0", sampled(), one("otel-sampler"), "otel-sampler", "AlwaysOff"),
		spans("10", sampled(), one("otel-sampler-ratio"), "otel-sampler", "TraceIdRatioBased", "otel-sampler-ratio", "1"),
		spans("0", sampled(w3c+"-01"), one("otel-sampler-parent-based"), "otel-sampler", "AlwaysOff", "otel-sampler-parent-based", "false"),
	), movedAll(tracingGroup(), nil, "opentelemetry-trust-incoming-span", "opentelemetry-operation-name"))
}
