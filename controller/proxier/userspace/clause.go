package userspace

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A clause is a part of a rule, in the two languages that say it: nft's and the
// kernel's. One can't be changed without the other being beside it.
type clause struct {
	text string
	is   []expr.Any
}

// A rule is its clauses, one after the other.
type rule []clause

func (r rule) String() string {
	words := make([]string, len(r))
	for i, c := range r {
		words[i] = c.text
	}
	return strings.Join(words, " ")
}

func (r rule) exprs() []expr.Any {
	var all []expr.Any
	for _, c := range r {
		all = append(all, c.is...)
	}
	return all
}

// Registers: the first one of 16 bytes for single values; the second for what a
// rule needs besides. Lookups fill registers of 4 bytes from word on, one after
// the other; word is the same place as the first.
const (
	register, other uint32 = unix.NFT_REG_1, unix.NFT_REG_2
	word            uint32 = unix.NFT_REG32_00
)

func verdictClause(k expr.VerdictKind, name, chain string) clause {
	return clause{strings.TrimSpace(name + " " + chain), []expr.Any{&expr.Verdict{Kind: k, Chain: chain}}}
}

func accept() clause           { return verdictClause(expr.VerdictAccept, "accept", "") }
func drop() clause             { return verdictClause(expr.VerdictDrop, "drop", "") }
func leave() clause            { return verdictClause(expr.VerdictReturn, "return", "") }
func goTo(chain string) clause { return verdictClause(expr.VerdictGoto, "goto", chain) }
func jump(chain string) clause { return verdictClause(expr.VerdictJump, "jump", chain) }

func equal(data []byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: data}
}

// bits says that a bit of a mark is set.
func bits(of expr.Any, name string, bit uint32) clause {
	n := binaryutil.NativeEndian.PutUint32(bit)
	return clause{fmt.Sprintf("%s & 0x%08x == 0x%08x", name, bit, bit), []expr.Any{
		of, masked(n, make([]byte, 4)), equal(n),
	}}
}

func masked(mask, xor []byte) expr.Any {
	return &expr.Bitwise{SourceRegister: register, DestRegister: register, Len: uint32(len(mask)), Mask: mask, Xor: xor}
}

func metaMark() expr.Any { return &expr.Meta{Key: expr.MetaKeyMARK, Register: register} }
func ctMark() expr.Any   { return &expr.Ct{Key: expr.CtKeyMARK, Register: register} }

func packetHas(bit uint32) clause     { return bits(metaMark(), "meta mark", bit) }
func connectionHas(bit uint32) clause { return bits(ctMark(), "ct mark", bit) }

// setBit sets a bit and leaves the others.
func setBit(load, store expr.Any, name string, bit uint32) clause {
	n := binaryutil.NativeEndian.PutUint32
	return clause{fmt.Sprintf("%s set %s | 0x%08x", name, name, bit), []expr.Any{
		load, masked(n(^bit), n(bit)), store,
	}}
}

func markPacket(bit uint32) clause {
	return setBit(metaMark(), &expr.Meta{Key: expr.MetaKeyMARK, Register: register, SourceRegister: true}, "meta mark", bit)
}

func markConnection(bit uint32) clause {
	return setBit(ctMark(), &expr.Ct{Key: expr.CtKeyMARK, Register: register, SourceRegister: true}, "ct mark", bit)
}

// answering says that a packet goes from who was called to who called.
func answering() clause {
	return clause{"ct direction reply", []expr.Any{
		&expr.Ct{Key: expr.CtKeyDIRECTION, Register: register}, equal([]byte{1}),
	}}
}

func protocol(p plan.Protocol) clause {
	return clause{"meta l4proto " + p.String(), []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register}, equal([]byte{byte(p)}),
	}}
}

// iifkind is NFT_META_IIFKIND of the kernel's nf_tables.h.
const iifkind expr.MetaKey = 26

// bridged says that a packet came in by a bridge.
func bridged() clause {
	return clause{`meta iifkind "bridge"`, []expr.Any{
		&expr.Meta{Key: iifkind, Register: register}, equal(name16("bridge")),
	}}
}

// fromInterface matches the interface by which a packet came in: a name, or
// where begins is set the beginning of names.
func fromInterface(name string, begins bool) clause {
	data, text := name16(name), name
	if begins {
		data, text = []byte(name), name+"*"
	}
	return clause{fmt.Sprintf("iifname %q", text), []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: register}, equal(data),
	}}
}

func name16(s string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, s)
	return b
}

// own says whether an address of a packet is this machine's.
func own(source, is bool) clause {
	field, op, cmp := "daddr", "", expr.CmpOpEq
	if source {
		field = "saddr"
	}
	if !is {
		op, cmp = "!= ", expr.CmpOpNeq
	}
	return clause{fmt.Sprintf("fib %s type %slocal", field, op), []expr.Any{
		&expr.Fib{Register: register, FlagSADDR: source, FlagDADDR: !source, ResultADDRTYPE: true},
		&expr.Cmp{Op: cmp, Register: register, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)},
	}}
}

// address loads an address of a packet.
func address(f plan.Family, source bool, to uint32) (string, *expr.Payload) {
	name, at, size := "ip daddr", uint32(16), uint32(4)
	if f == plan.IPv6 {
		name, at, size = "ip6 daddr", 24, 16
	}
	if source {
		name, at = strings.Replace(name, "daddr", "saddr", 1), at-size
	}
	return name, &expr.Payload{DestRegister: to, Base: expr.PayloadBaseNetworkHeader, Offset: at, Len: size}
}

// within says that an address of a packet is in a prefix.
func within(source bool, p netip.Prefix) clause {
	name, load := address(plan.FamilyOf(p.Addr()), source, register)
	a := p.Masked().Addr().AsSlice()
	ones := make([]byte, len(a))
	for i := range p.Bits() {
		ones[i/8] |= 0x80 >> (i % 8)
	}
	text := p.Masked().String()
	if p.IsSingleIP() {
		text = p.Addr().String()
	}
	return clause{name + " " + text, []expr.Any{load, masked(ones, make([]byte, len(a))), equal(a)}}
}

// reached loads where a packet is going, as the key of a set: address, protocol,
// port, and the source's address where the set has it.
func reached(f plan.Family, withAddress, withSource bool) (string, []expr.Any) {
	var (
		names []string
		all   []expr.Any
		at    = word
	)
	put := func(name string, words uint32, e expr.Any) {
		names, all, at = append(names, name), append(all, e), at+words
	}
	size := uint32(1)
	if f == plan.IPv6 {
		size = 4
	}
	if withAddress {
		name, load := address(f, false, at)
		put(name, size, load)
	}
	put("meta l4proto", 1, &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: at})
	put("th dport", 1, &expr.Payload{DestRegister: at, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2})
	if withSource {
		name, load := address(f, true, at)
		put(name, size, load)
	}
	return strings.Join(names, " . "), all
}

// lookup says that a key is in a set, or that it isn't.
func lookup(text string, load []expr.Any, set string, is bool) clause {
	op := ""
	if !is {
		op = "!= "
	}
	return clause{fmt.Sprintf("%s %s@%s", text, op, set), slices.Concat(load, []expr.Any{&expr.Lookup{SourceRegister: word, SetName: set, Invert: !is}})}
}

// decide goes on as a map says for a key, or to the next rule.
func decide(text string, load []expr.Any, set string) clause {
	return clause{fmt.Sprintf("%s vmap @%s", text, set), slices.Concat(load, []expr.Any{&expr.Lookup{SourceRegister: word, SetName: set, IsDestRegSet: true}})}
}

// refuse answers with a reset, which is for TCP alone, or with an ICMP error.
func refuse(f plan.Family, reset bool) clause {
	if reset {
		return clause{"reject with tcp reset", []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}}}
	}
	// ICMP_PORT_UNREACH and ICMPV6_PORT_UNREACH
	text, code := "reject with icmp port-unreachable", uint8(3)
	if f == plan.IPv6 {
		text, code = "reject with icmpv6 port-unreachable", 4
	}
	return clause{text, []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: code}}}
}

// operands loads an address and port for who takes them from registers.
func operands(at netip.AddrPort) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: register, Data: at.Addr().AsSlice()},
		&expr.Immediate{Register: other, Data: binary.BigEndian.AppendUint16(nil, at.Port())},
	}
}

func nfproto(f plan.Family) uint32 {
	if f == plan.IPv4 {
		return unix.NFPROTO_IPV4
	}
	return unix.NFPROTO_IPV6
}

// handTo gives a packet, as it is, to the socket that listens at an address. It
// doesn't match where none does.
func handTo(at netip.AddrPort) clause {
	n := byte(nfproto(plan.FamilyOf(at.Addr())))
	return clause{"tproxy to " + at.String(), append(operands(at), &expr.TProxy{
		Family: n, TableFamily: n, RegAddr: register, RegPort: other,
	})}
}

// translateTo changes where a connection goes.
func translateTo(at netip.AddrPort) clause {
	return clause{"dnat to " + at.String(), append(operands(at), &expr.NAT{
		Type: expr.NATTypeDestNAT, Family: nfproto(plan.FamilyOf(at.Addr())), RegAddrMin: register, RegProtoMin: other,
	})}
}
