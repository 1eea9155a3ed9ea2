package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Cookie is how cookies of an endpoint are rewritten: "off", or what is
// replaced, a space and what it becomes. "" leaves it to the ConfigMap.
type Cookie struct {
	Domain string
	Path   string
}

var (
	proxyCookieDomain = option.Key[string]{
		Name: "proxy-cookie-domain", Risk: option.Medium, Doc: "Replaces a domain in the cookies that an endpoint sets by another. Expressions are not taken.",
		DefaultDoc: inConfigMap + " (`off`)", Check: option.CookieDomain,
	}
	proxyCookiePath = option.Key[string]{
		Name: "proxy-cookie-path", Risk: option.Medium, Doc: "Replaces what a path starts with, in the cookies that an endpoint sets. Expressions are not taken.",
		DefaultDoc: inConfigMap + " (`off`)", Check: option.CookiePath,
	}
)

func readCookie(r *option.Reader) Cookie {
	return Cookie{Domain: lookup(r, proxyCookieDomain), Path: lookup(r, proxyCookiePath)}
}
