// Package wire turns changes of nf_tables objects into netlink batches, and
// what the kernel answers into values.
//
// It may not know what a table is for: names, keys and rules come from its
// caller as bytes. It keeps no picture of the kernel, and a batch of it is
// taken whole or not at all.
package wire

import (
	"encoding/binary"
	"iter"
)

// Attr appends one attribute to b: its length, its type, its value, padded to
// four bytes.
func Attr(b []byte, typ uint16, value []byte) []byte {
	b = head(b, typ, len(value))
	b = append(b, value...)
	return pad(b)
}

// AttrString appends a string with the zero byte that the kernel wants after it.
func AttrString(b []byte, typ uint16, value string) []byte {
	b = head(b, typ, len(value)+1)
	b = append(b, value...)
	b = append(b, 0)
	return pad(b)
}

// AttrU32 appends a number in network order, as nf_tables has them all.
func AttrU32(b []byte, typ uint16, value uint32) []byte {
	b = head(b, typ, 4)
	return binary.BigEndian.AppendUint32(b, value)
}

// AttrU64 appends a number of 64 bits in network order.
func AttrU64(b []byte, typ uint16, value uint64) []byte {
	b = head(b, typ, 8)
	return binary.BigEndian.AppendUint64(b, value)
}

// nested is the flag of an attribute that holds attributes.
const nested = 0x8000

// Nest appends an attribute that holds what fill appends.
func Nest(b []byte, typ uint16, fill func([]byte) []byte) []byte {
	at := len(b)
	b = fill(head(b, typ|nested, 0))
	binary.NativeEndian.PutUint16(b[at:], uint16(len(b)-at))
	return b
}

func head(b []byte, typ uint16, length int) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(length+4))
	return binary.NativeEndian.AppendUint16(b, typ)
}

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// attrs goes through the attributes in b, and ends where they are broken.
func attrs(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= 4 {
			n := int(binary.NativeEndian.Uint16(b))
			typ := binary.NativeEndian.Uint16(b[2:]) &^ (nested | 0x4000)
			if n < 4 || n > len(b) || !yield(typ, b[4:n]) {
				return
			}
			b = b[min((n+3)&^3, len(b)):]
		}
	}
}

// text is the string in an attribute, without its last zero byte.
func text(b []byte) string {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return string(b)
}

// number is the number in an attribute, of 32 or 64 bits.
func number(b []byte) uint64 {
	switch len(b) {
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	case 8:
		return binary.BigEndian.Uint64(b)
	}
	return 0
}
