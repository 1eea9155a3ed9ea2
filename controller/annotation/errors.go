package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Errors is who answers in place of an endpoint that fails.
type Errors struct {
	Codes     Optional[option.List]
	Backend   string // a Service of the Ingress's namespace; "" for the controller's
	Intercept Tristate
}

// An Optional is a value that may be left to the ConfigMap, where its zero
// means something of its own.
type Optional[T comparable] struct {
	Set   bool
	Value T
}

// Or is the value, or other where it is unset.
func (o Optional[T]) Or(other T) T {
	if o.Set {
		return o.Value
	}
	return other
}

var (
	customHTTPErrors = option.Key[option.List]{
		Name: "custom-http-errors",
		Doc: "Statuses of which the default backend writes the page. It is asked for `/`, with X-Code, X-Format, X-Original-URI, X-Namespace, " +
			"X-Ingress-Name, X-Service-Name, X-Service-Port and X-Request-ID, and its status is the answer's. Unlike in ingress-nginx, a 401 or 403 " +
			"never becomes less than an error: such a page keeps the status.",
		DefaultDoc: inConfigMap + " (none)", Check: option.HTTPErrors,
	}
	defaultBackend = option.Key[string]{
		Name: "default-backend",
		Doc: "The Service, of the Ingress's namespace, that answers where the backend has no endpoints, with X-Code 503, and that writes the pages " +
			"of custom-http-errors. Its first port is asked.",
		DefaultDoc: "`--default-backend-service`, for pages alone", Check: option.ServiceName,
	}
	disableProxyInterceptErrors = option.Key[bool]{
		Name: "disable-proxy-intercept-errors", Doc: "Leaves an endpoint's own errors as they are: custom-http-errors is then for those that nginx answers itself.",
		DefaultDoc: inConfigMap + " (`false`)", Check: option.Bool,
	}
)

func readErrors(r *option.Reader) Errors {
	return Errors{
		Codes:     optional(r, customHTTPErrors),
		Backend:   lookup(r, defaultBackend),
		Intercept: tristate(r, disableProxyInterceptErrors).not(),
	}
}

func optional[T comparable](r *option.Reader, k option.Key[T]) Optional[T] {
	v, ok := k.Lookup(r)
	return Optional[T]{ok, v}
}

func (t Tristate) not() Tristate { return [...]Tristate{Unset, On, Off}[t] }
