package build

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// mirror gives the site a place where its requests are sent once more. Its host
// is looked up as an ExternalName's is: nginx itself would not start with one
// that the DNS does not know.
func (t *task) mirror(s *site) {
	want := s.values.Mirror
	target := want.Target
	if target.Scheme == "" {
		return
	}
	addresses, reason := t.resolve(target.Host)
	if reason != "" {
		t.problem(objectOf(s.claim.ingress), t.o.AnnotationsPrefix+"/mirror-target", reason+"; nothing is mirrored")
	}
	id := model.BackendID("mirror:" + target.Host + ":" + strconv.Itoa(target.Port))
	var list []netip.AddrPort
	for _, a := range addresses {
		list = append(list, netip.AddrPortFrom(a, uint16(target.Port)))
	}
	t.result.Config.Backends[id] = backendOf(list)
	// One place for each target that is spoken to in a way of its own.
	sum := sha256.Sum256([]byte(strings.Join([]string{"mirror", target.Scheme, target.Host, strconv.Itoa(target.Port)}, "\x00")))
	route := model.RouteID(hex.EncodeToString(sum[:12]))
	t.result.Config.Routes[route] = model.Route{Backend: id}
	s.location.Mirror = model.Mirror{
		Route: route, Scheme: target.Scheme, URI: target.Rest, Name: target.Host,
		Host: want.Host, SkipBody: want.SkipBody,
	}
	if want.Host == "" {
		s.location.Mirror.Host = target.Authority()
	}
}

// resolve gives the addresses of a host, or why there are none. None of them is
// this machine's unless it may be.
func (t *task) resolve(host string) ([]netip.Addr, string) {
	var all []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		all = []netip.Addr{a}
	} else {
		t.result.Wanted.Names = append(t.result.Wanted.Names, host)
		found, why := t.addresses(t.s, host)
		if why != "" {
			return nil, why
		}
		all = found
	}
	var list []netip.Addr
	for _, a := range all {
		if t.o.AllowLoopback || !internal(a) {
			list = append(list, a)
		}
	}
	if len(all) > 0 && len(list) == 0 {
		return nil, "means an address of this machine, its link or its cloud's metadata"
	}
	return list, ""
}
