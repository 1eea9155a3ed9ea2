package settings

import (
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

func readTracing(r *option.Reader, s *model.Settings) {
	s.OpenTelemetry = flag(r, "enable-opentelemetry", false, "Gives each request to an endpoint the header traceparent of W3C's Trace Context. Differs: no spans are exported yet.")
	s.TrustIncomingSpan = flag(r, "opentelemetry-trust-incoming-span", true, "Goes on with the trace that a client's traceparent tells.")
}
