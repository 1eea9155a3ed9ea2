package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Rewrite is how a path is matched and what an endpoint is asked for in its place.
type Rewrite struct{}

func readRewrite(_ *option.Reader) Rewrite { return Rewrite{} }
