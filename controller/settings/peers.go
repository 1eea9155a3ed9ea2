package settings

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// private are the ranges in which load balancers are: no client on the Internet
// has an address of them.
var private = option.ListOf("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "fc00::/7", "fe80::/10", "::1")

// forwardHeader is a name of which nginx has a variable.
var forwardHeader = option.Pattern(`[A-Za-z][-A-Za-z0-9]{0,40}`, "the name of a header, of up to 41 letters, digits and dashes")

// readBinding reads the addresses that nginx has its ports on. They are laid over
// what the command line says of ports.
func readBinding(r *option.Reader, s *model.Settings) {
	s.NoIPv6 = flag(r, "disable-ipv6", false, "Listens on no IPv6 address.")
	bind := option.Key[option.List]{
		Name: "bind-address", DefaultDoc: "all", Check: option.ListOfEach(boundAddress),
		Doc: "The addresses of this machine on which nginx has its ports for HTTP, HTTPS, and TCP and UDP services. Without `reuse-port` a change of it takes effect at nginx's next start, for the kernel gives no port out twice.",
	}
	s.Bind = bind.Get(r)
	if !s.NoIPv6 {
		return
	}
	all := s.Bind.All()
	left := slices.DeleteFunc(slices.Clone(all), func(a string) bool { return strings.Contains(a, ":") })
	if len(all) > 0 && len(left) == 0 {
		r.Reject(bind.Name, "has IPv6 addresses only, and disable-ipv6 is true; 127.0.0.1 is taken, which nobody from outside reaches")
		left = []string{"127.0.0.1"}
	}
	s.Bind = option.ListOf(left...)
}

var boundAddress = option.Check[string]{
	Values: "an IP address",
	Parse: func(s string) (string, error) {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" || a.IsMulticast() {
			return "", fmt.Errorf("%.80q is not an address that can be listened on", s)
		}
		return a.Unmap().String(), nil
	},
}

func readPeers(r *option.Reader, s *model.Settings) {
	p := &s.Peers
	p.Proxy = flag(r, "use-proxy-protocol", false, "Wants the PROXY protocol's header, of version 1 or 2, at the beginning of each connection for HTTP and HTTPS. Who comes without is not served. "+
		"The client that it names is believed of the peers of `proxy-real-ip-cidr`.")
	p.Forwarded = flag(r, "use-forwarded-headers", false, "Believes the headers X-Forwarded-For, -Host, -Port and -Proto of the peers of `proxy-real-ip-cidr`, and hands them on. From any other peer they are not believed, and are replaced.")
	p.RealIP = flag(r, "enable-real-ip", false, "Believes the header of `forwarded-for-header` alone of those peers. With `use-proxy-protocol` that protocol's header names the client.")
	p.Full = flag(r, "compute-full-forwarded-for", false, "Adds the peer's address to the X-Forwarded-For of a peer that is believed, instead of replacing it. It does so without `use-forwarded-headers`, too.")
	trusted := option.Key[option.List]{
		Name: "proxy-real-ip-cidr", Default: private, DefaultDoc: "the private ranges: `" + private.String() + "`", Check: option.CIDRs,
		Doc: "The peers that are believed of who the client is: addresses and ranges of load balancers. Differs: ingress-nginx believes everybody, so that any client could choose its address. Where it is wrong, nobody is believed.",
	}
	before := len(r.Problems())
	if p.Trusted = trusted.Get(r); len(r.Problems()) > before {
		p.Trusted = ""
	}
	p.ForHeader = text(r, "forwarded-for-header", "X-Forwarded-For", forwardHeader, "The header that names the client. Of several addresses the last one counts that no peer of `proxy-real-ip-cidr` has.")
	p.HostHeader = text(r, "forwarded-host-header", "X-Forwarded-Host", forwardHeader, "The header that names the host that the client asked for.")
	p.ProxyForHeader = text(r, "forwarded-for-proxy-protocol-header", "X-Forwarded-For-Proxy-Protocol", forwardHeader, "With `use-proxy-protocol`, the header by which endpoints are told the client that the PROXY protocol names.")
}
