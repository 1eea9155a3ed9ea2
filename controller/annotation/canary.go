package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Canary is which requests go to a canary.
type Canary struct{}

func readCanary(_ *option.Reader) Canary { return Canary{} }
