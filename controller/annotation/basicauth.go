package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// BasicAuth is who may come in with a password.
type BasicAuth struct{}

func readBasicAuth(_ *option.Reader) BasicAuth { return BasicAuth{} }
