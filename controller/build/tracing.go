package build

import "github.com/sallyport-ingress/sallyport/controller/model"

// tracing makes a site's requests spans.
func (t *task) tracing(s *site) {
	v, settings := s.values.Tracing, &t.result.Config.Settings
	if !v.Enable.Or(settings.OpenTelemetry) {
		return
	}
	name := v.Name
	if name == "" {
		name = settings.SpanName
	}
	s.route.Tracing = model.Tracing{On: true, Trust: v.Trust.Or(settings.TrustIncomingSpan), Name: name}
	s.location.Traced = true
	s.location.Phases.Rewrite, s.location.Phases.Log = true, true
}
