package model

import "github.com/sallyport-ingress/sallyport/controller/option"

// A Canary is another backend of a route, and which requests it gets.
type Canary struct {
	Backend BackendID `json:"backend"`
	Header  string    `json:"header,omitzero"`
	Value   string    `json:"value,omitzero"`
	Pattern string    `json:"pattern,omitzero"`
	Cookie  string    `json:"cookie,omitzero"`
	Weight  int       `json:"weight"`
	Total   int       `json:"total"`
	// Affinity and Balance are for its own endpoints. Legacy says that no cookie
	// keeps a client with it, or away; else the route's cookie is the canary's too.
	Affinity Affinity `json:"affinity,omitzero"`
	Balance  Balance  `json:"balance,omitzero"`
	Legacy   bool     `json:"legacy,omitzero"`
}

// An Affinity is the cookie by which a client keeps its endpoint.
type Affinity struct {
	Name            string `json:"name"`
	Path            string `json:"path"`
	Domain          string `json:"domain,omitzero"`
	Expires         int    `json:"expires,omitzero"` // seconds
	MaxAge          int    `json:"maxAge,omitzero"`  // seconds
	SameSite        string `json:"sameSite,omitzero"`
	ConditionalNone bool   `json:"conditionalNone,omitzero"`
	Secure          bool   `json:"secure,omitzero"` // also without TLS
	Persistent      bool   `json:"persistent,omitzero"`
	Legacy          bool   `json:"legacy,omitzero"`
	ChangeOnFailure bool   `json:"changeOnFailure,omitzero"`
}

// A Balance is how an endpoint is chosen, where not one after the other.
type Balance struct {
	EWMA   bool        `json:"ewma,omitzero"`
	HashBy option.List `json:"hashBy,omitzero"` // an option.Template
	Subset int         `json:"subset,omitzero"` // how many endpoints one key has
}
