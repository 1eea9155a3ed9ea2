package model

import (
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Peers is whom nginx believes of what it is told about clients: load balancers
// and proxies before it.
type Peers struct {
	Trusted   option.List // address ranges
	Proxy     bool        // each connection begins with the PROXY protocol's header
	Forwarded bool        // client, scheme, host and port are those of request headers
	RealIP    bool        // the client alone is
	Full      bool        // X-Forwarded-For is added to, not written afresh
	// The headers' names.
	ForHeader, HostHeader, ProxyForHeader string
}

// FromHeader says whether a header names the client.
func (p Peers) FromHeader() bool { return (p.Forwarded || p.RealIP) && !p.Proxy }

// Any says whether anybody is believed at all.
func (p Peers) Any() bool { return p.Proxy || p.Forwarded || p.RealIP }

// ForVariable is nginx's variable of the header that names clients.
func (p Peers) ForVariable() string { return headerVariable(p.ForHeader) }

// HostVariable is that of the header that names the host.
func (p Peers) HostVariable() string { return headerVariable(p.HostHeader) }

func headerVariable(name string) string {
	return "$http_" + strings.ReplaceAll(strings.ToLower(name), "-", "_")
}
