package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Auth is the server that is asked whether a request may come in.
type Auth struct{}

func readAuth(_ *option.Reader) Auth { return Auth{} }
