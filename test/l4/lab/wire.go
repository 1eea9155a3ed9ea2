package lab

import (
	"fmt"
	"math"
	"net"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// join lays a wire between two namespaces.
func join(a, b *end) error {
	ha, err := a.at.links()
	if err != nil {
		return err
	}
	defer ha.Close()
	hb, err := b.at.links()
	if err != nil {
		return err
	}
	defer hb.Close()
	v := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: a.name},
		PeerName:      b.name,
		PeerNamespace: netlink.NsFd(int(b.at.fd.Fd())),
	}
	if err := ha.LinkAdd(v); err != nil {
		return fmt.Errorf("veth: %w", err)
	}
	// Addresses of both first: a route needs the link to be up at both ends.
	for _, e := range []struct {
		*end
		h *netlink.Handle
	}{{a, ha}, {b, hb}} {
		if err := e.configure(e.h); err != nil {
			return err
		}
	}
	for _, e := range []struct {
		*end
		h *netlink.Handle
	}{{a, ha}, {b, hb}} {
		if err := e.route(e.h); err != nil {
			return err
		}
	}
	return nil
}

func (e *end) configure(h *netlink.Handle) error {
	link, err := h.LinkByName(e.name)
	if err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	if e.bridge != "" {
		master, err := h.LinkByName(e.bridge)
		if err != nil {
			return fmt.Errorf("%s: %w", e.bridge, err)
		}
		if err := h.LinkSetMaster(link, master); err != nil {
			return fmt.Errorf("%s: join %s: %w", e.name, e.bridge, err)
		}
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("%s: up: %w", e.name, err)
	}
	for _, text := range e.addresses {
		a, err := netlink.ParseAddr(text)
		if err != nil {
			return err
		}
		if a.IP.To4() == nil {
			a.Flags |= unix.IFA_F_NODAD
			if e.further && !strings.HasSuffix(text, "/64") {
				// Deprecated: the source of what asks for it alone.
				a.ValidLft, a.PreferedLft = math.MaxUint32, 0
			}
		}
		if err := h.AddrAdd(link, a); err != nil {
			return fmt.Errorf("%s: add %s: %w", e.name, text, err)
		}
	}
	return nil
}

func (e *end) route(h *netlink.Handle) error {
	link, err := h.LinkByName(e.name)
	if err != nil {
		return err
	}
	for _, text := range e.routes {
		f := strings.Fields(text)
		_, to, err := net.ParseCIDR(f[0])
		if err != nil {
			return err
		}
		r := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: to}
		if r.Gw = net.ParseIP(f[1]); r.Gw == nil {
			r.Scope = netlink.SCOPE_LINK
		} else {
			r.LinkIndex = 0 // by whatever link the gateway is on
		}
		if len(f) > 2 {
			r.Src = net.ParseIP(f[2])
		}
		if err := h.RouteAdd(r); err != nil {
			return fmt.Errorf("route %s: %w", text, err)
		}
	}
	return nil
}
