package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// ModSecurity is the web application firewall.
type ModSecurity struct{}

func readModSecurity(_ *option.Reader) ModSecurity { return ModSecurity{} }
