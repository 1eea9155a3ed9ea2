package wire

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A Family is a family of tables, by the kernel's number.
type Family uint8

// The families that are of use here.
const (
	IPv4 Family = unix.NFPROTO_IPV4
	IPv6 Family = unix.NFPROTO_IPV6
)

// A Batch is a row of changes that the kernel takes as one.
type Batch struct {
	b        []byte
	last     int // where the last message begins
	messages uint32
	elements int
}

// The verdicts of netfilter, NF_DROP and NF_ACCEPT.
const (
	drop   = 0
	accept = 1
)

// headerLen is that of a netlink message and of nf_tables' own part.
const headerLen = unix.NLMSG_HDRLEN + 4

// Empty says that nothing is in it.
func (b *Batch) Empty() bool { return b.messages == 0 }

// Elements counts the elements that are added or deleted in it.
func (b *Batch) Elements() int { return b.elements }

// Bytes are the messages, as the kernel gets them.
func (b *Batch) Bytes() []byte { return b.b }

// message appends one message of nf_tables.
func (b *Batch) message(typ int, f Family, flags uint16, fill func([]byte) []byte) {
	b.messages++
	at := len(b.b)
	b.last = at
	b.b = header(b.b, unix.NFNL_SUBSYS_NFTABLES<<8|typ, flags, b.messages, f, 0)
	b.b = fill(b.b)
	binary.NativeEndian.PutUint32(b.b[at:], uint32(len(b.b)-at))
}

// header appends the head of a message; its length is that of the head.
func header(b []byte, typ int, flags uint16, seq uint32, f Family, resource uint16) []byte {
	b = binary.NativeEndian.AppendUint32(b, headerLen)
	b = binary.NativeEndian.AppendUint16(b, uint16(typ))
	b = binary.NativeEndian.AppendUint16(b, flags|unix.NLM_F_REQUEST)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, byte(f), unix.NFNETLINK_V0)
	return binary.BigEndian.AppendUint16(b, resource)
}

// AddTable makes a table. It is no error if it is there.
func (b *Batch) AddTable(f Family, name string) {
	b.message(unix.NFT_MSG_NEWTABLE, f, unix.NLM_F_CREATE, func(m []byte) []byte {
		m = AttrString(m, unix.NFTA_TABLE_NAME, name)
		return AttrU32(m, unix.NFTA_TABLE_FLAGS, 0)
	})
}

// DelTable deletes a table and all in it.
func (b *Batch) DelTable(f Family, name string) {
	b.message(unix.NFT_MSG_DELTABLE, f, 0, func(m []byte) []byte {
		return AttrString(m, unix.NFTA_TABLE_NAME, name)
	})
}

// A Hook is where the kernel calls a base chain.
type Hook struct {
	Type     string // filter, nat or route
	Number   uint32 // NF_INET_…
	Priority int32
}

// AddChain makes a chain, a base chain where hook is not nil. It is no error if
// it is there.
func (b *Batch) AddChain(f Family, table, name string, hook *Hook) {
	b.message(unix.NFT_MSG_NEWCHAIN, f, unix.NLM_F_CREATE, func(m []byte) []byte {
		m = AttrString(m, unix.NFTA_CHAIN_TABLE, table)
		m = AttrString(m, unix.NFTA_CHAIN_NAME, name)
		if hook == nil {
			return m
		}
		m = Nest(m, unix.NFTA_CHAIN_HOOK, func(m []byte) []byte {
			m = AttrU32(m, unix.NFTA_HOOK_HOOKNUM, hook.Number)
			return AttrU32(m, unix.NFTA_HOOK_PRIORITY, uint32(hook.Priority))
		})
		m = AttrU32(m, unix.NFTA_CHAIN_POLICY, accept)
		return AttrString(m, unix.NFTA_CHAIN_TYPE, hook.Type)
	})
}

// DelChain deletes a chain and its rules.
func (b *Batch) DelChain(f Family, table, name string) {
	b.message(unix.NFT_MSG_DELCHAIN, f, 0, func(m []byte) []byte {
		m = AttrString(m, unix.NFTA_CHAIN_TABLE, table)
		return AttrString(m, unix.NFTA_CHAIN_NAME, name)
	})
}

// AddRule appends a rule to a chain: a row of expressions as Expr makes them.
func (b *Batch) AddRule(f Family, table, chain string, expressions []byte) {
	b.message(unix.NFT_MSG_NEWRULE, f, unix.NLM_F_CREATE|unix.NLM_F_APPEND, func(m []byte) []byte {
		m = AttrString(m, unix.NFTA_RULE_TABLE, table)
		m = AttrString(m, unix.NFTA_RULE_CHAIN, chain)
		return Nest(m, unix.NFTA_RULE_EXPRESSIONS, func(m []byte) []byte { return append(m, expressions...) })
	})
}

// DelRules deletes all rules of a chain.
func (b *Batch) DelRules(f Family, table, chain string) {
	b.message(unix.NFT_MSG_DELRULE, f, 0, func(m []byte) []byte {
		m = AttrString(m, unix.NFTA_RULE_TABLE, table)
		return AttrString(m, unix.NFTA_RULE_CHAIN, chain)
	})
}

// Expr appends one expression of a rule.
func Expr(b []byte, name string, fill func([]byte) []byte) []byte {
	return Nest(b, unix.NFTA_LIST_ELEM, func(b []byte) []byte {
		b = AttrString(b, unix.NFTA_EXPR_NAME, name)
		return Nest(b, unix.NFTA_EXPR_DATA, fill)
	})
}

// A Set is the declaration of a set or map.
type Set struct {
	Name              string
	Flags             uint32 // NFT_SET_…
	KeyType, DataType uint32 // for nft alone; NFT_DATA_VERDICT matters to the kernel
	KeyLen, DataLen   uint32 // bytes
	Size              uint32 // elements at most; 0 is no bound
	Fields            []uint32
	Counter           bool // each element counts
	UserData          []byte
}

// AddSet makes a set. It is no error if it is there and the same.
func (b *Batch) AddSet(f Family, table string, s Set) {
	b.message(unix.NFT_MSG_NEWSET, f, unix.NLM_F_CREATE, func(m []byte) []byte {
		m = AttrString(m, unix.NFTA_SET_TABLE, table)
		m = AttrString(m, unix.NFTA_SET_NAME, s.Name)
		m = AttrU32(m, unix.NFTA_SET_FLAGS, s.Flags)
		m = AttrU32(m, unix.NFTA_SET_KEY_TYPE, s.KeyType)
		m = AttrU32(m, unix.NFTA_SET_KEY_LEN, s.KeyLen)
		if s.Flags&unix.NFT_SET_MAP != 0 {
			m = AttrU32(m, unix.NFTA_SET_DATA_TYPE, s.DataType)
			m = AttrU32(m, unix.NFTA_SET_DATA_LEN, s.DataLen)
		}
		m = AttrU32(m, unix.NFTA_SET_ID, b.messages)
		m = s.describe(m)
		if s.Counter {
			m = Nest(m, setExpr, func(m []byte) []byte { return counter(m, 0, 0) })
		}
		return Attr(m, unix.NFTA_SET_USERDATA, s.UserData)
	})
}

// setExpr is NFTA_SET_EXPR, and elemExpr NFTA_SET_ELEM_EXPR.
const (
	setExpr  = 17
	elemExpr = 7
)

func (s *Set) describe(m []byte) []byte {
	return Nest(m, unix.NFTA_SET_DESC, func(m []byte) []byte {
		if s.Size > 0 {
			m = AttrU32(m, unix.NFTA_SET_DESC_SIZE, s.Size)
		}
		if len(s.Fields) == 0 {
			return m
		}
		const concat, field, length = 2, unix.NFTA_LIST_ELEM, 1
		return Nest(m, concat, func(m []byte) []byte {
			for _, n := range s.Fields {
				m = Nest(m, field, func(m []byte) []byte { return AttrU32(m, length, n) })
			}
			return m
		})
	})
}

func counter(m []byte, packets, bytes uint64) []byte {
	m = AttrString(m, unix.NFTA_EXPR_NAME, "counter")
	return Nest(m, unix.NFTA_EXPR_DATA, func(m []byte) []byte {
		m = AttrU64(m, unix.NFTA_COUNTER_BYTES, bytes)
		return AttrU64(m, unix.NFTA_COUNTER_PACKETS, packets)
	})
}

// DelSet deletes a set and its elements.
func (b *Batch) DelSet(f Family, table, name string) {
	b.message(unix.NFT_MSG_DELSET, f, 0, func(m []byte) []byte {
		m = AttrString(m, unix.NFTA_SET_TABLE, table)
		return AttrString(m, unix.NFTA_SET_NAME, name)
	})
}
