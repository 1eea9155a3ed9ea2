package annotation

import (
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Headers is headers that differ from the usual ones.
type Headers struct {
	Custom     string // a ConfigMap: "name" or "namespace/name"
	Vhost      string // with variables as Vhost's check has them
	Connection string
}

var (
	customHeaders = option.Key[string]{
		Name: "custom-headers", Risk: option.Medium,
		Doc: "The ConfigMap whose entries become headers of each response; their names must be in the ConfigMap key global-allowed-response-headers. " +
			"A value is sent as it is: unlike in ingress-nginx, `$` is no variable.",
		DefaultDoc: "none", Check: option.Reference,
	}
	upstreamVhost = option.Key[string]{
		Name: "upstream-vhost", Doc: "The Host header that an endpoint sees. Of variables, `$namespace`, `$ingress_name`, `$service_name` and `$service_port` are taken.",
		DefaultDoc: "the request's", Check: option.Pattern(`(?:[-a-zA-Z0-9._:]|\$namespace|\$ingress_name|\$service_name|\$service_port){1,255}`, "a host"),
	}
	connectionProxyHeader = option.Key[string]{
		Name: "connection-proxy-header", Doc: "The Connection header that an endpoint sees.",
		DefaultDoc: "`upgrade` where the request has an Upgrade header", Check: anyCase(option.OneOf("close", "keep-alive")),
	}
	http2PushPreload = option.Key[bool]{
		Name: "http2-push-preload", Doc: "Accepted, and has no effect: nginx has no server push any more, nor have browsers.", Check: option.Bool,
	}
)

// anyCase lets a check see the text in lower case.
func anyCase(c option.Check[string]) option.Check[string] {
	return option.Check[string]{Values: c.Values, Parse: func(s string) (string, error) { return c.Parse(strings.ToLower(s)) }}
}

func readHeaders(r *option.Reader) Headers {
	if http2PushPreload.Get(r) {
		r.Warn(http2PushPreload.Name, "has no effect: there is no HTTP/2 server push any more")
	}
	return Headers{
		Custom:     lookup(r, customHeaders),
		Vhost:      lookup(r, upstreamVhost),
		Connection: lookup(r, connectionProxyHeader),
	}
}
