package userspace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// The attributes of ctnetlink that are asked and answered with here, from the
// kernel's nfnetlink_conntrack.h.
const (
	ctGet       = 1 // IPCTNL_MSG_CT_GET
	ctTupleOrig = 1
	ctTupleBack = 2 // CTA_TUPLE_REPLY
	ctIP        = 1
	ctProto     = 2
	ctProtoNum  = 1
	ctSrcPort   = 2
	ctDstPort   = 3
)

// ipAttributes are the numbers of a source and a destination.
func ipAttributes(f plan.Family) (src, dst uint16) {
	if f == plan.IPv4 {
		return 1, 2
	}
	return 3, 4
}

// translatedUDP asks conntrack where a datagram was going before a rule turned
// it to the socket that got it. For TCP there is SO_ORIGINAL_DST.
func translatedUDP(client, at netip.AddrPort) (netip.AddrPort, error) {
	f := plan.FamilyOf(at.Addr())
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer c.Close()
	question, err := tuple(f, at, client)
	if err != nil {
		return netip.AddrPort{}, err
	}
	// conntrack says that its answer is one of several, and sends no end: the
	// acknowledgement is the end.
	answers, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_CTNETLINK<<8 | ctGet, Flags: netlink.Request | netlink.Acknowledge},
		Data:   append([]byte{byte(socketFamily(f)), unix.NFNETLINK_V0, 0, 0}, question...),
	})
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("conntrack of %s: %w", client, err)
	}
	for _, m := range answers {
		if to, err := original(f, m.Data); err == nil {
			return to, nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("conntrack of %s: it doesn't know where a datagram was going", client)
}

// tuple is how conntrack is asked for the flow whose answers go from one address
// to another.
func tuple(f plan.Family, from, to netip.AddrPort) ([]byte, error) {
	src, dst := ipAttributes(f)
	e := netlink.NewAttributeEncoder()
	e.ByteOrder = binary.BigEndian
	e.Nested(ctTupleBack, func(e *netlink.AttributeEncoder) error {
		e.Nested(ctIP, func(e *netlink.AttributeEncoder) error {
			e.Bytes(src, from.Addr().AsSlice())
			e.Bytes(dst, to.Addr().AsSlice())
			return nil
		})
		e.Nested(ctProto, func(e *netlink.AttributeEncoder) error {
			e.Uint8(ctProtoNum, uint8(plan.UDP))
			e.Uint16(ctSrcPort, from.Port())
			e.Uint16(ctDstPort, to.Port())
			return nil
		})
		return nil
	})
	return e.Encode()
}

// original reads from conntrack's answer where a flow was going at first.
func original(f plan.Family, message []byte) (netip.AddrPort, error) {
	var (
		a      netip.Addr
		port   uint16
		_, dst = ipAttributes(f)
	)
	if len(message) < 4 {
		return netip.AddrPort{}, errors.New("conntrack answered with too little")
	}
	top, err := netlink.NewAttributeDecoder(message[4:]) // behind the nfgenmsg
	if err != nil {
		return netip.AddrPort{}, err
	}
	attributes(top, ctTupleOrig, func(t *netlink.AttributeDecoder) {
		switch t.Type() {
		case ctIP:
			t.Nested(func(ip *netlink.AttributeDecoder) error {
				for ip.Next() {
					if ip.Type() == dst {
						a, _ = netip.AddrFromSlice(ip.Bytes())
					}
				}
				return ip.Err()
			})
		case ctProto:
			t.Nested(func(p *netlink.AttributeDecoder) error {
				p.ByteOrder = binary.BigEndian
				for p.Next() {
					if p.Type() == ctDstPort {
						port = p.Uint16()
					}
				}
				return p.Err()
			})
		}
	})
	if err := top.Err(); err != nil {
		return netip.AddrPort{}, err
	}
	if !a.IsValid() || port == 0 {
		return netip.AddrPort{}, errors.New("conntrack answered without an address")
	}
	return netip.AddrPortFrom(a, port), nil
}

// attributes visits those that are nested in one of a kind.
func attributes(d *netlink.AttributeDecoder, kind uint16, visit func(*netlink.AttributeDecoder)) {
	for d.Next() {
		if d.Type() != kind {
			continue
		}
		d.Nested(func(n *netlink.AttributeDecoder) error {
			for n.Next() {
				visit(n)
			}
			return n.Err()
		})
	}
}
