package nftables

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
)

// A statement is a part of a rule: as nft writes it, and as the kernel has it.
type statement struct {
	text  string
	bytes []byte
}

// A rule is statements that are gone through until one doesn't match.
type rule []statement

func (r rule) text() string {
	words := make([]string, len(r))
	for i, s := range r {
		words[i] = s.text
	}
	return strings.Join(words, " ")
}

func (r rule) bytes() []byte {
	var b []byte
	for _, s := range r {
		b = append(b, s.bytes...)
	}
	return b
}

// A register is one of the kernel's sixteen of four bytes. What is longer goes
// into several from there.
type register uint32

// reg is the number of a register: NFT_REG32_00 and on.
func reg(n int) register { return register(unix.NFT_REG32_00 + n) }

func u32(typ uint16, v uint32) func([]byte) []byte {
	return func(b []byte) []byte { return wire.AttrU32(b, typ, v) }
}

func value(typ uint16, v []byte) func([]byte) []byte {
	return func(b []byte) []byte {
		return wire.Nest(b, typ, func(b []byte) []byte { return wire.Attr(b, unix.NFTA_DATA_VALUE, v) })
	}
}

func expr(name string, attrs ...func([]byte) []byte) []byte {
	return wire.Expr(nil, name, func(b []byte) []byte {
		for _, a := range attrs {
			b = a(b)
		}
		return b
	})
}

func native(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

// A load puts what a packet has into registers from to on.
type load struct {
	text  string
	words int // registers that it takes
	into  func(to register) []byte
}

func payload(text string, base, offset, length uint32) load {
	return load{text, int(length+3) / 4, func(to register) []byte {
		return expr("payload", u32(unix.NFTA_PAYLOAD_DREG, uint32(to)), u32(unix.NFTA_PAYLOAD_BASE, base),
			u32(unix.NFTA_PAYLOAD_OFFSET, offset), u32(unix.NFTA_PAYLOAD_LEN, length))
	}}
}

func (f family) saddr() load {
	return payload(f.ip+" saddr", unix.NFT_PAYLOAD_NETWORK_HEADER, f.pick(12, 8), uint32(f.size))
}

func (f family) daddr() load {
	return payload(f.ip+" daddr", unix.NFT_PAYLOAD_NETWORK_HEADER, f.pick(16, 24), uint32(f.size))
}

func dport() load { return payload("th dport", unix.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2) }

func (f family) pick(v4, v6 uint32) uint32 {
	if f.wire == wire.IPv4 {
		return v4
	}
	return v6
}

func meta(text string, key uint32, words int) load {
	return load{text, words, func(to register) []byte {
		return expr("meta", u32(unix.NFTA_META_DREG, uint32(to)), u32(unix.NFTA_META_KEY, key))
	}}
}

func l4proto() load { return meta("meta l4proto", unix.NFT_META_L4PROTO, 1) }

// conntrack loads of the tuple of a direction: of what the client sent, and of
// what an endpoint will answer.
func conntrack(text string, key uint32, direction byte, words int) load {
	return load{text, words, func(to register) []byte {
		return expr("ct", u32(unix.NFTA_CT_DREG, uint32(to)), u32(unix.NFTA_CT_KEY, key),
			func(b []byte) []byte { return wire.Attr(b, unix.NFTA_CT_DIRECTION, []byte{direction}) })
	}}
}

const (
	original = 0
	reply    = 1
)

// Keys of enum nft_ct_keys that say which family's address is meant. nft takes
// the older ones, which don't, for addresses of no length, and aborts.
const (
	ctSrcIP  = 19
	ctDstIP  = 20
	ctSrcIP6 = 21
	ctDstIP6 = 22
)

func (f family) clientAddress() load {
	return conntrack("ct original "+f.ip+" saddr", f.pick(ctSrcIP, ctSrcIP6), original, f.size/4)
}

func (f family) frontendAddress() load {
	return conntrack("ct original "+f.ip+" daddr", f.pick(ctDstIP, ctDstIP6), original, f.size/4)
}

func frontendPort() load {
	return conntrack("ct original proto-dst", unix.NFT_CT_PROTO_DST, original, 1)
}

func (f family) endpointAddress() load {
	return conntrack("ct reply "+f.ip+" saddr", f.pick(ctSrcIP, ctSrcIP6), reply, f.size/4)
}

func endpointPort() load { return conntrack("ct reply proto-src", unix.NFT_CT_PROTO_SRC, reply, 1) }

// random gives a slot below n, evenly; inOrder gives one after the other, to
// all packets of one rule.
func random(n int) load {
	return numgen(fmt.Sprintf("numgen random mod %d", n), n, unix.NFT_NG_RANDOM)
}

func inOrder(n int) load {
	return numgen(fmt.Sprintf("numgen inc mod %d", n), n, unix.NFT_NG_INCREMENTAL)
}

func numgen(text string, n int, typ uint32) load {
	return load{text, 1, func(to register) []byte {
		return expr("numgen", u32(unix.NFTA_NG_DREG, uint32(to)), u32(unix.NFTA_NG_MODULUS, uint32(n)),
			u32(unix.NFTA_NG_TYPE, typ), u32(unix.NFTA_NG_OFFSET, 0))
	}}
}

// clientHash gives a slot below n by the client's address.
func (f family) clientHash(n int, seed uint32) load {
	client := f.saddr()
	text := fmt.Sprintf("jhash %s mod %d seed 0x%x", client.text, n, seed)
	return load{text, 1, func(to register) []byte {
		from := to + 1
		return append(client.into(from), expr("hash",
			u32(unix.NFTA_HASH_SREG, uint32(from)), u32(unix.NFTA_HASH_DREG, uint32(to)),
			u32(unix.NFTA_HASH_LEN, uint32(f.size)), u32(unix.NFTA_HASH_MODULUS, uint32(n)),
			u32(unix.NFTA_HASH_SEED, seed), u32(unix.NFTA_HASH_TYPE, unix.NFT_HASH_JENKINS))...)
	}}
}

// concat loads one after the other.
func concat(loads ...load) load {
	words, texts := 0, make([]string, len(loads))
	for i, l := range loads {
		texts[i] = l.text
		words += l.words
	}
	return load{strings.Join(texts, " . "), words, func(to register) []byte {
		var b []byte
		for _, l := range loads {
			b = append(b, l.into(to)...)
			to += register(l.words)
		}
		return b
	}}
}

// is matches where what is loaded, under a mask if there is one, compares so.
func (l load) is(text string, op uint32, mask, v []byte) statement {
	b := l.into(reg(0))
	if mask != nil {
		b = append(b, bitwise(mask, make([]byte, len(mask)))...)
	}
	b = append(b, expr("cmp", u32(unix.NFTA_CMP_SREG, uint32(reg(0))), u32(unix.NFTA_CMP_OP, op), value(unix.NFTA_CMP_DATA, v))...)
	return statement{l.text + " " + text, b}
}

func bitwise(mask, xor []byte) []byte {
	return expr("bitwise", u32(unix.NFTA_BITWISE_SREG, uint32(reg(0))), u32(unix.NFTA_BITWISE_DREG, uint32(reg(0))),
		u32(unix.NFTA_BITWISE_LEN, uint32(len(mask))), value(unix.NFTA_BITWISE_MASK, mask), value(unix.NFTA_BITWISE_XOR, xor))
}

// within matches an address of a prefix, outside one of none.
func within(l load, p netip.Prefix) statement { return l.prefix("", unix.NFT_CMP_EQ, p) }

func outside(l load, p netip.Prefix) statement { return l.prefix("!= ", unix.NFT_CMP_NEQ, p) }

func (l load) prefix(not string, op uint32, p netip.Prefix) statement {
	a := p.Masked().Addr().AsSlice()
	if p.IsSingleIP() {
		return l.is(not+p.Addr().String(), op, nil, a)
	}
	mask := make([]byte, len(a))
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return l.is(not+p.Masked().String(), op, mask, a)
}

// addressType loads what the routing table says that an address is.
func addressType(which string, flag uint32) load {
	return load{"fib " + which + " type", 1, func(to register) []byte {
		return expr("fib", u32(unix.NFTA_FIB_DREG, uint32(to)),
			u32(unix.NFTA_FIB_RESULT, unix.NFT_FIB_RESULT_ADDRTYPE), u32(unix.NFTA_FIB_FLAGS, flag))
	}}
}

func fromHere() statement {
	return addressType("saddr", unix.NFTA_FIB_F_SADDR).is("local", unix.NFT_CMP_EQ, nil, native(unix.RTN_LOCAL))
}

func notFromHere() statement {
	return addressType("saddr", unix.NFTA_FIB_F_SADDR).is("!= local", unix.NFT_CMP_NEQ, nil, native(unix.RTN_LOCAL))
}

func toHere() statement {
	return addressType("daddr", unix.NFTA_FIB_F_DADDR).is("local", unix.NFT_CMP_EQ, nil, native(unix.RTN_LOCAL))
}

// byInterface matches the interface that a packet came in by.
func byInterface(name string, prefix bool) statement {
	v := make([]byte, unix.IFNAMSIZ)
	n := copy(v, name)
	if prefix {
		return meta("iifname", unix.NFT_META_IIFNAME, 4).is(fmt.Sprintf("\"%s*\"", name), unix.NFT_CMP_EQ, nil, v[:n])
	}
	return meta("iifname", unix.NFT_META_IIFNAME, 4).is(fmt.Sprintf("%q", name), unix.NFT_CMP_EQ, nil, v)
}

// over matches one protocol.
func over(p string, number byte) statement {
	return l4proto().is(p, unix.NFT_CMP_EQ, nil, []byte{number})
}

// translated matches a connection whose destination was changed.
func translated() statement {
	const dstNAT = 1 << 5 // IPS_DST_NAT
	l := load{"ct status", 1, func(to register) []byte {
		return expr("ct", u32(unix.NFTA_CT_DREG, uint32(to)), u32(unix.NFTA_CT_KEY, unix.NFT_CT_STATUS))
	}}
	return l.is("dnat", unix.NFT_CMP_NEQ, native(dstNAT), native(0))
}

func in(key load, set string) statement {
	return statement{key.text + " @" + set, append(key.into(reg(0)), lookup(set)...)}
}

func lookup(set string, more ...func([]byte) []byte) []byte {
	name := func(b []byte) []byte { return wire.AttrString(b, unix.NFTA_LOOKUP_SET, set) }
	return expr("lookup", append([]func([]byte) []byte{name, u32(unix.NFTA_LOOKUP_SREG, uint32(reg(0)))}, more...)...)
}

// verdictBy goes where a map says.
func verdictBy(key load, set string) statement {
	to := u32(unix.NFTA_LOOKUP_DREG, unix.NFT_REG_VERDICT)
	return statement{key.text + " vmap @" + set, append(key.into(reg(0)), lookup(set, to)...)}
}

// translateBy changes the destination to what a map says. Where the map says
// nothing the rule doesn't match.
func (f family) translateBy(key load, set string) statement {
	addr, port := uint32(reg(0)), uint32(reg(f.size/4))
	b := append(key.into(reg(0)), lookup(set, u32(unix.NFTA_LOOKUP_DREG, addr))...)
	b = append(b, expr("nat", u32(unix.NFTA_NAT_TYPE, unix.NFT_NAT_DNAT), u32(unix.NFTA_NAT_FAMILY, uint32(f.wire)),
		u32(unix.NFTA_NAT_REG_ADDR_MIN, addr), u32(unix.NFTA_NAT_REG_PROTO_MIN, port))...)
	return statement{"dnat " + f.ip + " to " + key.text + " map @" + set, b}
}

// remember writes to a map, for a time.
func remember(set string, key, data load, timeout time.Duration) statement {
	from := reg(key.words)
	b := append(key.into(reg(0)), data.into(from)...)
	b = append(b, expr("dynset",
		func(b []byte) []byte { return wire.AttrString(b, unix.NFTA_DYNSET_SET_NAME, set) },
		u32(unix.NFTA_DYNSET_OP, unix.NFT_DYNSET_OP_UPDATE),
		u32(unix.NFTA_DYNSET_SREG_KEY, uint32(reg(0))), u32(unix.NFTA_DYNSET_SREG_DATA, uint32(from)),
		func(b []byte) []byte {
			return wire.AttrU64(b, unix.NFTA_DYNSET_TIMEOUT, uint64(timeout.Milliseconds()))
		})...)
	text := fmt.Sprintf("update @%s { %s timeout %ss : %s }", set, key.text, seconds(timeout), data.text)
	return statement{text, b}
}

// marked matches a packet mark's bit; setMark and clearMark change it.
func marked(bit uint32) statement {
	return mark().is(fmt.Sprintf("& 0x%x != 0x0", bit), unix.NFT_CMP_NEQ, native(bit), native(0))
}

func setMark(bit uint32) statement {
	return changeMark(fmt.Sprintf("| 0x%x", bit), native(^bit), native(bit))
}

func clearMark(bit uint32) statement {
	return changeMark(fmt.Sprintf("& 0x%x", ^bit), native(^bit), native(0))
}

func mark() load { return meta("meta mark", unix.NFT_META_MARK, 1) }

func changeMark(text string, mask, xor []byte) statement {
	b := append(mark().into(reg(0)), bitwise(mask, xor)...)
	b = append(b, expr("meta", u32(unix.NFTA_META_KEY, unix.NFT_META_MARK), u32(unix.NFTA_META_SREG, uint32(reg(0))))...)
	return statement{"meta mark set meta mark " + text, b}
}

func masquerade() statement {
	const fullyRandom = 1 << 4 // NF_NAT_RANGE_PROTO_RANDOM_FULLY
	return statement{"masquerade fully-random", expr("masq", u32(unix.NFTA_MASQ_FLAGS, fullyRandom))}
}

// reset answers with a TCP reset, unreachable with an ICMP port unreachable.
func reset() statement {
	return statement{"reject with tcp reset", rejectWith(unix.NFT_REJECT_TCP_RST, 0)}
}

func (f family) unreachable() statement {
	if f.wire == wire.IPv4 {
		const port = 3 // ICMP_PORT_UNREACH
		return statement{"reject with icmp port-unreachable", rejectWith(unix.NFT_REJECT_ICMP_UNREACH, port)}
	}
	const port = 4 // ICMPV6_PORT_UNREACH
	return statement{"reject with icmpv6 port-unreachable", rejectWith(unix.NFT_REJECT_ICMP_UNREACH, port)}
}

func rejectWith(typ uint32, code byte) []byte {
	return expr("reject", u32(unix.NFTA_REJECT_TYPE, typ),
		func(b []byte) []byte { return wire.Attr(b, unix.NFTA_REJECT_ICMP_CODE, []byte{code}) })
}

func dropIt() statement { return verdict("drop", dropCode, "") }

func gotoChain(name string) statement { return verdict("goto "+name, unix.NFT_GOTO, name) }

func jumpChain(name string) statement { return verdict("jump "+name, unix.NFT_JUMP, name) }

const dropCode = 0 // NF_DROP

func verdict(text string, code int32, chain string) statement {
	return statement{text, expr("immediate", u32(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT), func(b []byte) []byte {
		return wire.Nest(b, unix.NFTA_IMMEDIATE_DATA, func(b []byte) []byte {
			return wire.Nest(b, unix.NFTA_DATA_VERDICT, func(b []byte) []byte {
				b = wire.AttrU32(b, unix.NFTA_VERDICT_CODE, uint32(code))
				if chain != "" {
					b = wire.AttrString(b, unix.NFTA_VERDICT_CHAIN, chain)
				}
				return b
			})
		})
	})}
}
