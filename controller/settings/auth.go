package settings

import (
	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

var noAuthPaths = option.ListOfEach(option.Pattern(`/[^,\x00-\x20\x7f]+`, "a path other than `/`"))

// readAuth reads the server that is asked about the requests of all Ingresses.
func readAuth(r *option.Reader, s *model.Settings) {
	s.GlobalAuth = annotation.ReadGlobalAuth(r)
	if s.NoGlobalAuth && s.GlobalAuth != (annotation.Auth{}) {
		s.GlobalAuth = annotation.Auth{URL: annotation.AuthURL{Scheme: annotation.Nowhere}}
	}
	s.NoAuth = option.Key[option.List]{
		Name: "no-auth-locations", Default: "/.well-known/acme-challenge", Check: noAuthPaths,
		Doc: "Paths at and below which nobody is asked for a password or by `auth-url` and `global-auth-url`. One with an expression is none of them.",
	}.Get(r)
}
