package model

import "github.com/sallyport-ingress/sallyport/controller/option"

// Auth is the data of a location whose requests another server lets in. Lists
// without another word are Templates.
type Auth struct {
	Backend BackendID `json:"backend,omitempty"`
	// Own is the port of ours that is asked as if by the client, in the place of a
	// backend, for the request's own host.
	Own      int         `json:"own,omitempty"`
	TLS      bool        `json:"tls,omitempty"`
	Name     string      `json:"name,omitempty"` // of TLS
	Host     string      `json:"host,omitempty"` // the Host header
	Method   string      `json:"method"`
	URI      option.List `json:"uri"`
	Signin   option.List `json:"signin,omitempty"`
	Param    string      `json:"param,omitempty"`    // added to Signin
	Headers  option.List `json:"headers,omitempty"`  // names: of the answer, for endpoints
	Redirect option.List `json:"redirect,omitempty"` // X-Auth-Request-Redirect
	Set      option.List `json:"set,omitempty"`      // "#name" of a header, and its Template after it
	Cookies  bool        `json:"cookies,omitempty"`  // Set-Cookie whatever the status

	CacheKey option.List `json:"cacheKey,omitempty"`
	CacheFor option.List `json:"cacheFor,omitempty"` // "status=seconds"
	// Scope keeps what is cached, and connections, from other Ingresses.
	Scope string `json:"scope"`

	Idle         int `json:"idle,omitempty"`         // connections kept
	IdleRequests int `json:"idleRequests,omitempty"` // of one of them
	IdleTime     int `json:"idleTime,omitempty"`     // ms
	Connect      int `json:"connect"`                // ms
	Send         int `json:"send"`                   // ms
	Read         int `json:"read"`                   // ms
	// OtherID gives the server another X-Request-ID than the endpoint.
	OtherID bool `json:"otherID,omitempty"`
}
