package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Protocol is what is spoken to endpoints.
type Protocol struct{}

func readProtocol(_ *option.Reader) Protocol { return Protocol{} }
