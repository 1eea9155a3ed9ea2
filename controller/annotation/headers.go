package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Headers is headers that differ from the usual ones.
type Headers struct{}

func readHeaders(_ *option.Reader) Headers { return Headers{} }
