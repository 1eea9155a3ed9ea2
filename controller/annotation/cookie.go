package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Cookie is how cookies of an endpoint are rewritten.
type Cookie struct{}

func readCookie(_ *option.Reader) Cookie { return Cookie{} }
