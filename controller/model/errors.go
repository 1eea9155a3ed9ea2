package model

// Errors say where the requests of a route go that can't be answered.
type Errors struct {
	// Route is that of the default backend. "" where there is none.
	Route RouteID `json:"route,omitzero"`
	// Unavailable says that it answers too where the route has no endpoints.
	Unavailable bool `json:"unavailable,omitzero"`
}
