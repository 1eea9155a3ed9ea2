package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Access is which client addresses may come in.
type Access struct{}

func readAccess(_ *option.Reader) Access { return Access{} }
