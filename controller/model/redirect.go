package model

import "github.com/sallyport-ingress/sallyport/controller/option"

// A Redirect is where all requests of a route are sent to.
type Redirect struct {
	Code int         `json:"code"`
	To   option.List `json:"to"` // an option.Template
}

// ToHTTPS is the redirect to https of a route in which something comes before it.
type ToHTTPS struct {
	Code int  `json:"code"`
	Keep bool `json:"keep"` // the slash at the end
}

// A Rewrite is what an endpoint is asked for; its lists are option.Templates.
type Rewrite struct {
	Path   option.List `json:"path"`
	Args   option.List `json:"args,omitzero"`
	Prefix option.List `json:"prefix,omitzero"` // the header X-Forwarded-Prefix
}

// ProxyRedirect is what takes the place of what in redirects of endpoints.
type ProxyRedirect struct{ From, To string }
