package wire

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// An Element is one element of a set or map.
type Element struct {
	Key, End string // End: the last key of a range, "" where it is none
	// Data is what a map gives for the key, as Value and Verdict make it, and
	// byte for byte what the kernel gives back. "" in a set.
	Data string
	// Packets and Bytes are what the element has counted; with both 0 a new
	// one counts from nothing.
	Packets, Bytes uint64
}

// Value is the Data of a map of plain values.
func Value(v string) string {
	return string(Attr(nil, unix.NFTA_DATA_VALUE, []byte(v)))
}

// Verdict is the Data of a verdict: drop, or goto a chain where one is named.
func Verdict(chain string) string {
	var v []byte
	if chain == "" {
		v = AttrU32(v, unix.NFTA_VERDICT_CODE, drop)
	} else {
		code := int32(unix.NFT_GOTO)
		v = AttrU32(v, unix.NFTA_VERDICT_CODE, uint32(code))
		v = AttrString(v, unix.NFTA_VERDICT_CHAIN, chain)
	}
	return string(Attr(nil, unix.NFTA_DATA_VERDICT, v))
}

// Chain is the chain that Data sends to; "" if it is no goto.
func Chain(data string) string {
	for typ, v := range attrs([]byte(data)) {
		if typ != unix.NFTA_DATA_VERDICT {
			continue
		}
		for typ, v := range attrs(v) {
			if typ == unix.NFTA_VERDICT_CHAIN {
				return text(v)
			}
		}
	}
	return ""
}

// Plain is the value in Data, as Value got it.
func Plain(data string) string {
	for typ, v := range attrs([]byte(data)) {
		if typ == unix.NFTA_DATA_VALUE {
			return string(v)
		}
	}
	return ""
}

// listBytes bounds the list in one message: its length has 16 bits.
const listBytes = 60 << 10

// AddElements adds elements to a set. One that is there with other Data makes
// the kernel refuse the batch.
func (b *Batch) AddElements(f Family, table, set string, all []Element) {
	b.list(unix.NFT_MSG_NEWSETELEM, unix.NLM_F_CREATE, f, table, set, all)
}

// DelElements deletes elements by Key and End. One that isn't there makes the
// kernel refuse the batch.
func (b *Batch) DelElements(f Family, table, set string, all []Element) {
	b.list(unix.NFT_MSG_DELSETELEM, 0, f, table, set, all)
}

func (b *Batch) list(typ int, flags uint16, f Family, table, set string, all []Element) {
	b.elements += len(all)
	for len(all) > 0 {
		b.message(typ, f, flags, func(m []byte) []byte {
			m, all = elements(m, table, set, all, typ == unix.NFT_MSG_NEWSETELEM)
			return m
		})
	}
}

// elements appends as many as a message holds, and gives the others back.
func elements(m []byte, table, set string, all []Element, whole bool) ([]byte, []Element) {
	m = AttrString(m, unix.NFTA_SET_ELEM_LIST_TABLE, table)
	m = AttrString(m, unix.NFTA_SET_ELEM_LIST_SET, set)
	at := len(m)
	m = head(m, unix.NFTA_SET_ELEM_LIST_ELEMENTS|nested, 0)
	for len(all) > 0 && len(m)-at < listBytes {
		m = all[0].append(m, whole)
		all = all[1:]
	}
	binary.NativeEndian.PutUint16(m[at:], uint16(len(m)-at))
	return m, all
}

// append writes lengths itself, for this is what a cold start does most.
func (e *Element) append(m []byte, whole bool) []byte {
	at := len(m)
	m = head(m, unix.NFTA_LIST_ELEM|nested, 0)
	m = key(m, unix.NFTA_SET_ELEM_KEY, e.Key)
	if e.End != "" {
		m = key(m, keyEnd, e.End)
	}
	if whole && e.Data != "" {
		m = head(m, unix.NFTA_SET_ELEM_DATA|nested, len(e.Data))
		m = append(m, e.Data...)
	}
	if whole && e.Packets|e.Bytes != 0 {
		m = Nest(m, elemExpr, func(m []byte) []byte { return counter(m, e.Packets, e.Bytes) })
	}
	binary.NativeEndian.PutUint16(m[at:], uint16(len(m)-at))
	return m
}

// keyEnd is NFTA_SET_ELEM_KEY_END.
const keyEnd = 10

func key(m []byte, typ uint16, k string) []byte {
	m = head(m, typ|nested, 4+(len(k)+3)&^3)
	m = head(m, unix.NFTA_DATA_VALUE, len(k))
	m = append(m, k...)
	return pad(m)
}

// parse reads an element as the kernel tells of it.
func (e *Element) parse(b []byte) {
	for typ, v := range attrs(b) {
		switch typ {
		case unix.NFTA_SET_ELEM_KEY:
			e.Key = Plain(string(v))
		case keyEnd:
			e.End = Plain(string(v))
		case unix.NFTA_SET_ELEM_DATA:
			e.Data = string(v)
		case elemExpr:
			e.count(v)
		}
	}
}

func (e *Element) count(b []byte) {
	for typ, v := range attrs(b) {
		if typ != unix.NFTA_EXPR_DATA {
			continue
		}
		for typ, v := range attrs(v) {
			switch typ {
			case unix.NFTA_COUNTER_BYTES:
				e.Bytes = number(v)
			case unix.NFTA_COUNTER_PACKETS:
				e.Packets = number(v)
			}
		}
	}
}
