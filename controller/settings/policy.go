package settings

import (
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

func readPolicy(r *option.Reader, s *model.Settings) {
	s.AllowCrossNamespace = flag(r, "allow-cross-namespace-resources", false,
		"Lets an annotation name a Secret or ConfigMap of another namespace.")
}
