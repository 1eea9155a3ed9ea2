package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Tracing is whether requests carry the context of a trace to the endpoint.
type Tracing struct {
	Enable Tristate
	Trust  Tristate
}

var (
	enableOpentelemetry = option.Key[bool]{
		Name: "enable-opentelemetry", Check: option.Bool, DefaultDoc: inConfigMap + " (`false`)",
		Doc: "Gives each request to an endpoint the header traceparent of W3C's Trace Context. Differs: no spans are exported yet.",
	}
	trustIncomingSpan = option.Key[bool]{
		Name: "opentelemetry-trust-incoming-span", Check: option.Bool, DefaultDoc: inConfigMap + " (`true`)",
		Doc: "Goes on with the trace that a client's traceparent tells; else each request begins one.",
	}
)

func readTracing(r *option.Reader) Tracing {
	return Tracing{Enable: tristate(r, enableOpentelemetry), Trust: tristate(r, trustIncomingSpan)}
}
