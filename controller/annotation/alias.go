package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Alias is under which further names a host is served.
type Alias struct{}

func readAlias(_ *option.Reader) Alias { return Alias{} }
