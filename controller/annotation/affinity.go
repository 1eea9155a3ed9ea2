package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Affinity is how a client keeps its endpoint.
type Affinity struct{}

func readAffinity(_ *option.Reader) Affinity { return Affinity{} }
