package l4

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/test/l4/lab"
)

// Of the kernel's ip_vs.h.
const (
	getService, getDest = 4, 8
	attrService         = 1
	attrDest            = 2
)

// virtualServers lists those of ipvs with their real servers, by netlink: what
// /proc/net/ip_vs says lacks some where other namespaces have virtual servers too.
func virtualServers(t *testing.T, at *lab.Namespace) []string {
	t.Helper()
	if _, err := os.Stat("/proc/net/ip_vs"); err != nil {
		return nil
	}
	var all []string
	err := at.Do(func() error {
		services, err := dump(getService, nil)
		if err != nil {
			return err
		}
		for _, s := range services {
			a := attributes(s[attrService])
			family := binary.NativeEndian.Uint16(a[1])
			name := fmt.Sprintf("%d %s", binary.NativeEndian.Uint16(a[2]), server(family, a[3], a[4]))
			all = append(all, fmt.Sprintf("%s %s flags %x timeout %x", name, strings.TrimRight(string(a[6]), "\x00"), a[7], a[8]))
			dests, err := dump(getDest, s[attrService])
			if err != nil {
				return err
			}
			for _, d := range dests {
				a := attributes(d[attrDest])
				all = append(all, fmt.Sprintf("%s -> %s weight %d", name, server(family, a[1], a[2]), binary.NativeEndian.Uint32(a[4])))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("ipvs: %v", err)
	}
	return all
}

// dump asks ipvs for a list, of one virtual server where one is given.
func dump(command uint8, service []byte) ([]map[uint16][]byte, error) {
	family, err := netlink.GenlFamilyGet("IPVS")
	if err != nil {
		return nil, err
	}
	q := nl.NewNetlinkRequest(int(family.ID), unix.NLM_F_DUMP)
	q.AddData(&nl.Genlmsg{Command: command, Version: 1})
	if service != nil {
		q.AddData(nl.NewRtAttr(attrService|unix.NLA_F_NESTED, service))
	}
	answers, err := q.Execute(unix.NETLINK_GENERIC, 0)
	var all []map[uint16][]byte
	for _, a := range answers {
		all = append(all, attributes(a[nl.SizeofGenlmsg:]))
	}
	return all, err
}

func attributes(b []byte) map[uint16][]byte {
	all := map[uint16][]byte{}
	for len(b) >= unix.SizeofNlAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofNlAttr || n > len(b) {
			break
		}
		all[binary.NativeEndian.Uint16(b[2:])&^unix.NLA_F_NESTED] = b[unix.SizeofNlAttr:n]
		b = b[min(len(b), (n+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1)):]
	}
	return all
}

func server(family uint16, address, port []byte) string {
	a, _ := netip.AddrFromSlice(address)
	if family == unix.AF_INET && len(address) >= 4 {
		a, _ = netip.AddrFromSlice(address[:4])
	}
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(port)).String()
}
