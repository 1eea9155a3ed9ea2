package nftables

import (
	"encoding/binary"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// What nft stores beside a set, so that it can list it: records of a type, a
// length and a value, with numbers in the machine's order. Without it nft
// takes a slot for bytes in network order and lists a wrong number.
const (
	udKeyOrder   = 0
	udDataOrder  = 1
	udKeyTypeof  = 3
	udDataTypeof = 4

	udExpr = 0 // in a typeof: what kind of expression
	udBody = 1 // and what is in it

	orderHost    = 1
	orderNetwork = 2

	exprPayload = 7
	exprMeta    = 9
	exprConcat  = 13
	exprNumgen  = 23

	protoTransport = 11
	protoIP        = 12
	protoIP6       = 13
)

func (f family) userData(s set) []byte {
	order := uint32(0)
	if len(s.key) == 1 {
		order = orderNetwork
	}
	b := record32(nil, udKeyOrder, order)
	if s.data != nil || s.verdict {
		b = record32(b, udDataOrder, 0)
	}
	if s.slots() {
		b = f.typeof(b, udKeyTypeof, s.key)
		b = f.typeof(b, udDataTypeof, s.data)
	}
	return b
}

func (f family) typeof(b []byte, typ byte, fields []field) []byte {
	return record(b, typ, func(b []byte) []byte {
		b = record32(b, udExpr, exprConcat)
		return record(b, udBody, func(b []byte) []byte {
			for i, of := range fields {
				b = record(b, byte(i), func(b []byte) []byte { return f.typeofField(b, of) })
			}
			return b
		})
	})
}

// typeofField is the record for what exemplar writes.
func (f family) typeofField(b []byte, of field) []byte {
	const (
		l4proto  = 16 // NFT_META_L4PROTO
		dport    = 2  // in nft's description of a transport header
		daddr4   = 12 // in that of IPv4
		daddr6   = 9  // in that of IPv6
		random   = 1  // NFT_NG_RANDOM
		fromZero = 0
	)
	kind, body := uint32(exprPayload), []uint32{protoIP, daddr4}
	switch {
	case of == protocol:
		kind, body = exprMeta, []uint32{l4proto}
	case of == port:
		body = []uint32{protoTransport, dport}
	case of == slot:
		kind, body = exprNumgen, []uint32{random, 2, fromZero}
	case f.plan == plan.IPv6:
		body = []uint32{protoIP6, daddr6}
	}
	b = record32(b, udExpr, kind)
	return record(b, udBody, func(b []byte) []byte {
		for i, v := range body {
			b = record32(b, byte(i), v)
		}
		return b
	})
}

func record(b []byte, typ byte, fill func([]byte) []byte) []byte {
	at := len(b)
	b = fill(append(b, typ, 0))
	b[at+1] = byte(len(b) - at - 2)
	return b
}

func record32(b []byte, typ byte, v uint32) []byte {
	return binary.NativeEndian.AppendUint32(append(b, typ, 4), v)
}
