package model

import "github.com/sallyport-ingress/sallyport/controller/option"

// CORS is which other sites may use the responses of a route.
type CORS struct {
	Any         bool        `json:"any,omitempty"`     // all sites
	Origins     option.List `json:"origins,omitempty"` // scheme://host[:port], where host may start with "*."
	Credentials bool        `json:"credentials,omitempty"`
	Methods     string      `json:"methods"`
	Headers     string      `json:"headers"`
	Expose      string      `json:"expose,omitempty"`
	MaxAge      int         `json:"maxAge"` // seconds
}
