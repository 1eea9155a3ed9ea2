package settings

import (
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

func readErrors(r *option.Reader, s *model.Settings) {
	s.CustomHTTPErrors = option.Key[option.List]{
		Name: "custom-http-errors", Doc: "Statuses of which the default backend writes the page, in all locations.", DefaultDoc: "none", Check: option.HTTPErrors,
	}.Get(r)
	s.ProxyInterceptErrors = !flag(r, "disable-proxy-intercept-errors", false,
		"Leaves endpoints' own errors as they are: custom-http-errors is then for those that nginx answers itself.")
	s.AllowedResponseHeaders = option.List(strings.ToLower(string(option.Key[option.List]{
		Name: "global-allowed-response-headers", Doc: "The headers that the annotation custom-headers may set.", DefaultDoc: "none",
		Check: option.ListOfEach(option.HeaderName),
	}.Get(r))))
}
