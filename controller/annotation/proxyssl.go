package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// ProxySSL is TLS to endpoints.
type ProxySSL struct{}

func readProxySSL(_ *option.Reader) ProxySSL { return ProxySSL{} }
