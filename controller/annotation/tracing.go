package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Tracing is whether requests carry the context of a trace to the endpoint.
type Tracing struct {
	Enable Tristate
	Trust  Tristate
	Name   option.List // a Template
}

var (
	enableOpentelemetry = option.Key[bool]{
		Name: "enable-opentelemetry", Check: option.Bool, DefaultDoc: inConfigMap + " (`false`)",
		Doc: "Makes each request a span, which the collector of the ConfigMap's `otlp-collector-host` is told, and gives the endpoint its context: the header traceparent of W3C's Trace Context, " +
			"and the B3 headers where the client sent such.",
	}
	trustIncomingSpan = option.Key[bool]{
		Name: "opentelemetry-trust-incoming-span", Check: option.Bool, DefaultDoc: inConfigMap + " (`true`)",
		Doc: "Goes on with the trace that a client's traceparent, b3 or X-B3 headers tell; else each request begins one.",
	}
	operationName = option.Key[option.List]{
		Name: "opentelemetry-operation-name", Risk: option.Medium, Check: SpanName, DefaultDoc: inConfigMap + " (the method and the Ingress's path)",
		Doc: "What the request's span is called.",
	}
)

func readTracing(r *option.Reader) Tracing {
	return Tracing{Enable: tristate(r, enableOpentelemetry), Trust: tristate(r, trustIncomingSpan), Name: lookup(r, operationName)}
}

// SpanName accepts one line of text with variables of the request.
var SpanName = option.Check[option.List]{
	Values: "up to 200 letters, digits, spaces and `-_./:`, with variables such as `$request_method` and `$uri`",
	Parse: func(s string) (option.List, error) {
		if _, err := spanText.Parse(s); err != nil {
			return "", err
		}
		return option.Template(s, "request_method", "uri", "request_uri", "host", "http_host", "best_http_host", "scheme", "server_name",
			"namespace", "ingress_name", "service_name", "service_port", "location_path")
	},
}

var spanText = option.Pattern(`[-A-Za-z0-9 _./:${}]{1,200}`, "up to 200 letters, digits, spaces and `-_./:`, with variables")
