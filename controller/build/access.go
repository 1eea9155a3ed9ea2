package build

import (
	"cmp"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// access is which client addresses come in: an annotation's list stands in
// place of the ConfigMap's.
func (t *task) access(s *site) {
	a := s.values.Access
	s.location.Access = model.Access{
		Allow: cmp.Or(a.Allow, t.result.Config.Settings.AllowRanges),
		Deny:  cmp.Or(a.Deny, t.result.Config.Settings.DenyRanges),
		Any:   a.Any,
	}
	s.route.Any = a.Any
}

// accessOfRest holds the ConfigMap's lists for the default backend too, which
// has no Ingress.
func (t *task) accessOfRest(_ *host, server *model.Server) {
	for i := range server.Locations {
		if l := &server.Locations[i]; l.Owner == "" && l.Route != "" {
			l.Access = model.Access{Allow: t.result.Config.Settings.AllowRanges, Deny: t.result.Config.Settings.DenyRanges}
		}
	}
}
