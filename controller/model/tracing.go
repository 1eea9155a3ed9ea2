package model

// Tracing says that requests carry the context of a trace.
type Tracing struct {
	On    bool `json:"on"`
	Trust bool `json:"trust,omitzero"` // go on with the client's
}
