package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Mirror is where requests are sent a second time.
type Mirror struct{}

func readMirror(_ *option.Reader) Mirror { return Mirror{} }
