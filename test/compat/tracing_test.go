package compat

import (
	"net/http"
	"regexp"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

const clientTrace = "0af7651916cd43dd8448eb211c80319c"

var traceparent = regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$`)

// traced says which trace the backend is told of.
func traced(incoming string) func(c client) string {
	return func(c client) string {
		h := http.Header{"Tracestate": {"a=b"}}
		if incoming != "" {
			h.Set("Traceparent", incoming)
		}
		r := c.do(cluster.Request{URL: "http://HOST/", Header: h})
		got := traceparent.FindStringSubmatch(r.Seen.Header.Get("Traceparent"))
		switch {
		case got == nil:
			return "none"
		case got[2] == "b7ad6b7169203331":
			return "the client's span"
		case got[1] == clientTrace:
			return "the client's, " + r.Seen.Header.Get("Tracestate")
		}
		return "a new one, " + r.Seen.Header.Get("Tracestate")
	}
}

func tracingGroup() group {
	const good = "00-" + clientTrace + "-b7ad6b7169203331-01"
	return group{name: "tracing", cases: []proof{
		{
			keys: []string{"enable-opentelemetry"}, annotations: map[string]string{"enable-opentelemetry": "true"},
			probes: []probe{
				{"none", traced(""), "a new one, "}, {"good", traced(good), "the client's, a=b"}, {"too long", traced(good + "-x"), "a new one, "},
				{"zero", traced("00-00000000000000000000000000000000-b7ad6b7169203331-01"), "a new one, "}, {"upper case", traced("00-" + "0AF7651916CD43DD8448EB211C80319C" + "-b7ad6b7169203331-01"), "a new one, "},
			},
		}, {
			keys:        []string{"opentelemetry-trust-incoming-span"},
			annotations: map[string]string{"enable-opentelemetry": "true", "opentelemetry-trust-incoming-span": "false"},
			probes:      []probe{{"good", traced(good), "a new one, "}},
		},
	}}
}
