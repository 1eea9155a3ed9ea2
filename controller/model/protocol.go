package model

import (
	"net/netip"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// A Protocol is what is spoken to endpoints.
type Protocol string

// The protocols.
const (
	HTTP  Protocol = ""
	HTTPS Protocol = "https"
	Auto  Protocol = "auto" // HTTP or HTTPS, as the client came
	GRPC  Protocol = "grpc"
	GRPCS Protocol = "grpcs"
	FCGI  Protocol = "fcgi"
)

// A Pass is how endpoints are spoken to. Idle connections are shared by
// locations of which Protocol and TLS are equal, and by no others.
type Pass struct {
	Protocol Protocol
	TLS      UpstreamTLS
	FastCGI  FastCGI
}

// UpstreamTLS is TLS to endpoints.
type UpstreamTLS struct {
	Certificate, Key FileID // ours; "" for none
	CA               FileID // "" verifies nothing
	Depth            int    // of verifying
	Name             string // that is verified and sent; "" where neither is done
	ServerName       bool
	Protocols        string // "" as for all
	Ciphers          string // "" as for all
}

// FastCGI is what a request is turned into. Params are NAME=value.
type FastCGI struct {
	Index  string
	Params option.List
}

// A Mirror is where a location's requests are sent once more. The zero one is
// nowhere.
type Mirror struct {
	Route    RouteID // the key of its data: a route of its own
	Scheme   string
	URI      string // with variables
	Host     string // the Host header
	Name     string // of TLS
	SkipBody bool
}

// Passthrough is a host whose TLS connections go to Addresses as they are;
// without any they are closed.
type Passthrough struct {
	Host      string
	Addresses []netip.AddrPort
	// Opened says the opposite: the host is one that a wildcard which is passed
	// through does not mean.
	Opened bool
}
