package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Logs is what is logged.
type Logs struct{}

func readLogs(_ *option.Reader) Logs { return Logs{} }
