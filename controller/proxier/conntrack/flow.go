package conntrack

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A flow is what matters of an entry of the conntrack table.
type flow struct {
	protocol uint8
	// destination is where the client sends, source where the answers come
	// from. They are equal where nothing was translated.
	destination, source netip.AddrPort
	zoned               bool // it is in a conntrack zone, in one direction at least
	// tuple and id are parts of the message: the attributes of the original
	// tuple and of the entry's id.
	tuple, id []byte
}

// name is how the entry is called to delete it and no other: by its tuple and
// by its id, for when it is deleted another may have the same tuple.
func (f *flow) name() []byte { return slices.Concat(f.tuple, f.id) }

const (
	ctaTupleZone = 3
	ctaIPv4Src   = 1
	ctaIPv4Dst   = 2
	ctaIPv6Src   = 3
	ctaIPv6Dst   = 4
	ctaProtoSrc  = 2
	ctaProtoDst  = 3
)

// parse reads a message of a dump. It is false for what is not understood.
func parse(message []byte) (flow, bool) {
	if len(message) < nl.SizeofNfgenmsg {
		return flow{}, false
	}
	var f flow
	for kind, whole := range attributes(message[nl.SizeofNfgenmsg:]) {
		value := whole[unix.SizeofRtAttr:]
		switch kind {
		case nl.CTA_TUPLE_ORIG:
			f.tuple = whole
			t := parseTuple(value)
			f.protocol, f.destination, f.zoned = t.protocol, t.destination, f.zoned || t.zoned
		case nl.CTA_TUPLE_REPLY:
			t := parseTuple(value)
			f.source, f.zoned = t.source, f.zoned || t.zoned
		case nl.CTA_ID:
			f.id = whole
		case nl.CTA_ZONE:
			f.zoned = true // the kernel leaves it out for zone 0
		}
	}
	return f, f.destination.IsValid() && f.source.IsValid() && f.id != nil
}

// A tuple is one direction of a flow.
type tuple struct {
	protocol            uint8
	source, destination netip.AddrPort
	zoned               bool
}

func parseTuple(b []byte) tuple {
	var t tuple
	var source, destination netip.Addr
	var sourcePort, destinationPort uint16
	for kind, whole := range attributes(b) {
		value := whole[unix.SizeofRtAttr:]
		switch kind {
		case nl.CTA_TUPLE_IP:
			source, destination = parseAddresses(value)
		case nl.CTA_TUPLE_PROTO:
			t.protocol, sourcePort, destinationPort = parsePorts(value)
		case ctaTupleZone:
			t.zoned = true
		}
	}
	if source.IsValid() && destination.IsValid() {
		t.source = netip.AddrPortFrom(source, sourcePort)
		t.destination = netip.AddrPortFrom(destination, destinationPort)
	}
	return t
}

func parseAddresses(b []byte) (source, destination netip.Addr) {
	for kind, whole := range attributes(b) {
		a, _ := netip.AddrFromSlice(whole[unix.SizeofRtAttr:])
		switch kind {
		case ctaIPv4Src, ctaIPv6Src:
			source = a
		case ctaIPv4Dst, ctaIPv6Dst:
			destination = a
		}
	}
	return source, destination
}

func parsePorts(b []byte) (protocol uint8, source, destination uint16) {
	for kind, whole := range attributes(b) {
		value := whole[unix.SizeofRtAttr:]
		switch {
		case kind == nl.CTA_PROTO_NUM && len(value) == 1:
			protocol = value[0]
		case kind == ctaProtoSrc && len(value) == 2:
			source = binary.BigEndian.Uint16(value)
		case kind == ctaProtoDst && len(value) == 2:
			destination = binary.BigEndian.Uint16(value)
		}
	}
	return protocol, source, destination
}

// attributes gives each attribute's kind and all its bytes, header included. It
// ends at what is no attribute.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			n := int(binary.NativeEndian.Uint16(b))
			if n < unix.SizeofRtAttr || n > len(b) {
				return
			}
			if !yield(binary.NativeEndian.Uint16(b[2:])&nl.NLA_TYPE_MASK, b[:n]) {
				return
			}
			b = b[min(align(n), len(b)):]
		}
	}
}

// align is a length with the padding to the next attribute.
func align(n int) int { return (n + unix.RTA_ALIGNTO - 1) &^ (unix.RTA_ALIGNTO - 1) }
