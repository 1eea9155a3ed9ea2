package nginx

import (
	"context"
	"fmt"
	"net/http"
)

// A Span is what one request that is traced came to. Identities are in hex.
type Span struct {
	Trace  string `json:"trace"`
	Span   string `json:"span"`
	Parent string `json:"parent"` // "" where the trace begins here
	State  string `json:"state"`  // W3C's tracestate
	Name   string `json:"name"`

	Start  float64 `json:"start"` // seconds since 1970, to the millisecond, as Finish
	Finish float64 `json:"finish"`

	Status     int    `json:"status"`
	Method     string `json:"method"`
	Target     string `json:"target"` // the path with its arguments
	Host       string `json:"host"`
	Server     string `json:"server"`
	Scheme     string `json:"scheme"`
	Protocol   string `json:"protocol"` // such as HTTP/1.1
	Agent      string `json:"agent"`
	Client     string `json:"client"`
	ClientPort int    `json:"client_port"`
	Port       int    `json:"port"` // on which it came

	Namespace string `json:"namespace"`
	Ingress   string `json:"ingress"`
	Service   string `json:"service"`
	Upstream  string `json:"upstream"`
	Endpoint  string `json:"endpoint"` // all that were tried, parted by commas
}

// Spans takes up to most spans out of nginx's queue, if there are least. It
// says, too, how many found the queue full since it was last asked.
func (f *Folder) Spans(ctx context.Context, least, most int) (spans []Span, dropped int, err error) {
	var v struct {
		Spans   []Span
		Dropped int
	}
	err = f.control.into(ctx, http.MethodPost, fmt.Sprintf("/spans?least=%d&most=%d", least, most), &v)
	return v.Spans, v.Dropped, err
}
