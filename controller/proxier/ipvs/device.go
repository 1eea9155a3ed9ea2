package ipvs

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// deviceName is the dummy device that holds the VIPs: ipvs sees in input what
// is for an address of the node alone.
const deviceName = "sallyport-ipvs"

// foreignDevice is kube-proxy's: its addresses are Services', not the node's.
const foreignDevice = "kube-ipvs0"

// A device is the dummy device, and a socket for its addresses.
type device struct {
	link   netlink.Link
	handle *netlink.Handle
}

// ensureDevice gives our device, made and set up where need be.
func ensureDevice() (netlink.Link, error) {
	link, err := findDevice()
	if err != nil {
		return nil, err
	}
	if link == nil {
		a := netlink.NewLinkAttrs()
		a.Name = deviceName
		if err := netlink.LinkAdd(&netlink.Dummy{LinkAttrs: a}); err != nil {
			return nil, fmt.Errorf("device %s: %w", deviceName, err)
		}
		// It gets no link-local address; without IPv6 not even that is to be said.
		_ = writeSysctl("net/ipv6/conf/"+deviceName+"/addr_gen_mode", "1")
		if link, err = findDevice(); err != nil || link == nil {
			return nil, fmt.Errorf("device %s: gone at once: %w", deviceName, err)
		}
	}
	if link.Attrs().Flags&net.FlagUp != 0 {
		return link, nil
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("device %s: set up: %w", deviceName, err)
	}
	return link, nil
}

// findDevice gives nil where there is none. It is an error if it isn't a dummy.
func findDevice() (netlink.Link, error) {
	link, err := netlink.LinkByName(deviceName)
	if _, absent := errors.AsType[netlink.LinkNotFoundError](err); absent {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", deviceName, err)
	}
	if link.Type() != "dummy" {
		return nil, fmt.Errorf("device %s: is of type %s and so not ours", deviceName, link.Type())
	}
	return link, nil
}

// readAddresses reads the node's own addresses, without loopback's, and those
// of our device.
func readAddresses() (node, device []netip.Addr, err error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, nil, fmt.Errorf("list devices: %w", err)
	}
	names := map[int]string{}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	listed, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, nil, fmt.Errorf("list addresses: %w", err)
	}
	for _, l := range listed {
		a, ok := netip.AddrFromSlice(l.IP)
		a = a.Unmap()
		name := names[l.LinkIndex]
		switch {
		case name == deviceName:
			device = append(device, a)
		case !ok, a.IsLoopback(), name == foreignDevice:
		case a.Is6() && a.IsLinkLocalUnicast(): // means nothing without its device
		default:
			node = append(node, a)
		}
	}
	slices.SortFunc(node, netip.Addr.Compare)
	return slices.Compact(node), device, nil
}

// addressOf is a VIP as our device holds it. One of IPv6 is deprecated, so that
// nothing but what goes to it is sent from it, and is not looked for among the
// neighbours.
func addressOf(a netip.Addr) *netlink.Addr {
	mask := net.CIDRMask(a.BitLen(), a.BitLen())
	made := &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: mask}}
	if a.Is6() {
		made.Flags = unix.IFA_F_NODAD
		made.ValidLft, made.PreferedLft = math.MaxUint32, 0
	}
	return made
}

func (d *device) bind(a netip.Addr) error {
	if err := d.handle.AddrReplace(d.link, addressOf(a)); err != nil {
		return fmt.Errorf("address %s: add to %s: %w", a, deviceName, err)
	}
	return nil
}

func (d *device) unbind(a netip.Addr) error {
	err := d.handle.AddrDel(d.link, addressOf(a))
	if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("address %s: delete from %s: %w", a, deviceName, err)
	}
	return nil
}

// hasIPv6 says whether this network namespace has IPv6 and it is not disabled.
func hasIPv6() bool {
	text, err := os.ReadFile("/proc/sys/net/ipv6/conf/all/disable_ipv6")
	return err == nil && strings.TrimSpace(string(text)) == "0"
}
