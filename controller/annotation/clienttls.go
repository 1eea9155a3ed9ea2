package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// ClientTLS is which client certificates may come in.
type ClientTLS struct{}

func readClientTLS(_ *option.Reader) ClientTLS { return ClientTLS{} }
