package build

import "github.com/sallyport-ingress/sallyport/controller/model"

// cors lets other sites use a site's responses.
func (t *task) cors(s *site) {
	v := s.values.CORS
	if !v.Enabled {
		return
	}
	s.route.CORS = model.CORS{
		Any: v.Origins == "*", Origins: v.Origins, Credentials: v.Credentials,
		Methods: v.Methods, Headers: v.Headers, Expose: v.Expose, MaxAge: v.MaxAge,
	}
	if s.route.CORS.Any {
		s.route.CORS.Origins = ""
	}
	s.location.Phases.Rewrite = true
	s.location.Phases.Header = true
}
