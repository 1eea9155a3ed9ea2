package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// CORS is which other sites may use a response.
type CORS struct{}

func readCORS(_ *option.Reader) CORS { return CORS{} }
