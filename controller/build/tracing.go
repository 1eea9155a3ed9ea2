package build

import "github.com/sallyport-ingress/sallyport/controller/model"

// tracing gives a site's requests the context of a trace.
func (t *task) tracing(s *site) {
	settings := &t.result.Config.Settings
	if !s.values.Tracing.Enable.Or(settings.OpenTelemetry) {
		return
	}
	s.route.Tracing = model.Tracing{On: true, Trust: s.values.Tracing.Trust.Or(settings.TrustIncomingSpan)}
	s.location.Phases.Rewrite = true
}
