package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// TLS is TLS to clients.
type TLS struct{}

func readTLS(_ *option.Reader) TLS { return TLS{} }
