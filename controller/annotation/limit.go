package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Limit is how much one client may ask for.
type Limit struct{}

func readLimit(_ *option.Reader) Limit { return Limit{} }
