package build

import (
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// errors gives a site those who answer what its backend can't. Which statuses
// are meant is structure; who answers is data, a route beside the site's own,
// so that logs and metrics still count the request for its Ingress.
func (t *task) errors(s *site) {
	e, settings := s.values.Errors, &t.result.Config.Settings
	codes := e.Codes.Or(settings.CustomHTTPErrors)
	own := t.errorBackend(s, e.Backend)
	if codes == "" && own == nil || s.location.Return != 0 {
		return
	}
	s.location.Errors = codes
	s.location.Intercept = codes != "" && e.Intercept.Or(settings.ProxyInterceptErrors)
	s.location.ErrorPage = true
	if own != nil {
		s.route.Errors.Unavailable = true
		s.location.Phases.Access = true
	}
	backend := own
	if backend == nil {
		if c := t.defaultBackend(); c != nil {
			backend = &c.backend
		}
	}
	if backend == nil {
		return // the built-in 404 answers
	}
	s.route.Errors.Route = s.location.Route + "e"
	t.result.Config.Routes[s.route.Errors.Route] = model.Route{
		Backend: backend.ID(), Namespace: s.route.Namespace, Ingress: s.route.Ingress,
		Service: s.route.Service, Port: s.route.Port, Host: s.route.Host, Path: s.route.Path,
	}
	t.backend(*backend)
}

// errorBackend is the first port of the Service that the annotation names.
func (t *task) errorBackend(s *site, service string) *BackendRef {
	if service == "" {
		return nil
	}
	key := store.Key{Namespace: s.claim.ingress.Namespace, Name: service}
	object := t.s.Services[key]
	reason := ""
	switch {
	case object == nil:
		reason = fmt.Sprintf("Service %s does not exist", key)
	case len(object.Spec.Ports) == 0:
		reason = fmt.Sprintf("Service %s has no ports", key)
	default:
		first := BackendRef{Service: key, Port: networkingv1.ServiceBackendPort{Number: object.Spec.Ports[0].Port}}
		if reason = t.missing(first); reason == "" {
			return &first
		}
	}
	t.problem(objectOf(s.claim.ingress), t.o.AnnotationsPrefix+"/default-backend", reason+"; it is as without the annotation")
	return nil
}
