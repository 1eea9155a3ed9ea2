package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Errors is who answers in place of an endpoint that fails.
type Errors struct{}

func readErrors(_ *option.Reader) Errors { return Errors{} }
