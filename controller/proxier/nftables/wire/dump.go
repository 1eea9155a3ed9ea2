package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"

	"golang.org/x/sys/unix"
)

type message struct {
	typ, flags uint16
	seq        uint32
	body       []byte
}

func messages(b []byte) iter.Seq[message] {
	return func(yield func(message) bool) {
		for len(b) >= unix.NLMSG_HDRLEN {
			n := int(binary.NativeEndian.Uint32(b))
			if n < unix.NLMSG_HDRLEN || n > len(b) {
				return
			}
			m := message{
				typ:   binary.NativeEndian.Uint16(b[4:]),
				flags: binary.NativeEndian.Uint16(b[6:]),
				seq:   binary.NativeEndian.Uint32(b[8:]),
				body:  b[unix.NLMSG_HDRLEN:n],
			}
			if !yield(m) {
				return
			}
			b = b[min((n+3)&^3, len(b)):]
		}
	}
}

// err is the error in an NLMSG_ERROR or NLMSG_DONE; nil for an acknowledgement.
func (m message) err() error {
	if m.typ != unix.NLMSG_ERROR && m.typ != unix.NLMSG_DONE || len(m.body) < 4 {
		return nil
	}
	if code := int32(binary.NativeEndian.Uint32(m.body)); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

func (m message) ends() bool { return m.typ == unix.NLMSG_ERROR || m.typ == unix.NLMSG_DONE }

// errTorn says that the kernel's state changed in the middle of a dump.
var errTorn = errors.New("nf_tables changed while it was read")

// attempts bounds how often a torn dump is done again.
const attempts = 10

// ask sends a request and calls each for what comes back, until it is over. A
// dump that was torn begins again, and restart is called.
func (c *Conn) ask(typ int, f Family, flags uint16, request []byte, restart func(), each func([]byte)) error {
	for range attempts {
		restart()
		err := c.askOnce(typ, f, flags, request, each)
		if !errors.Is(err, errTorn) {
			return err
		}
	}
	return errTorn
}

func (c *Conn) askOnce(typ int, f Family, flags uint16, request []byte, each func([]byte)) error {
	m := header(nil, unix.NFNL_SUBSYS_NFTABLES<<8|typ, flags, 1, f, 0)
	m = append(m, request...)
	binary.NativeEndian.PutUint32(m, uint32(len(m)))
	if err := unix.Sendto(c.fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("nf_tables request: %w", err)
	}
	var torn error
	for {
		n, _, err := unix.Recvfrom(c.fd, c.buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("nf_tables answer: %w", err)
		}
		for m := range messages(c.buf[:n]) {
			if m.flags&unix.NLM_F_DUMP_INTR != 0 {
				torn = errTorn
			}
			if m.ends() {
				return errors.Join(m.err(), torn)
			}
			if len(m.body) > 4 {
				each(m.body[4:])
			}
		}
	}
}

// Generation is the number of the kernel's last change of nf_tables.
func (c *Conn) Generation() (uint32, error) {
	var generation uint32
	err := c.ask(unix.NFT_MSG_GETGEN, unix.NFPROTO_UNSPEC, unix.NLM_F_ACK, nil, func() {}, func(b []byte) {
		for typ, v := range attrs(b) {
			if typ == unix.NFTA_GEN_ID {
				generation = uint32(number(v))
			}
		}
	})
	if err != nil {
		return 0, fmt.Errorf("nf_tables generation: %w", err)
	}
	return generation, nil
}

// tableHandle is NFTA_TABLE_HANDLE.
const tableHandle = 4

// A Table is what the kernel says of a table.
type Table struct {
	Name   string
	Handle uint64 // which no other table ever has; 0 if there is no such table
	Flags  uint32 // 0 for one that is at work
}

func (t *Table) parse(b []byte) {
	for typ, v := range attrs(b) {
		switch typ {
		case unix.NFTA_TABLE_NAME:
			t.Name = text(v)
		case tableHandle:
			t.Handle = number(v)
		case unix.NFTA_TABLE_FLAGS:
			t.Flags = uint32(number(v))
		}
	}
}

// Tables gives the tables of a family.
func (c *Conn) Tables(f Family) ([]Table, error) {
	var tables []Table
	err := c.ask(unix.NFT_MSG_GETTABLE, f, unix.NLM_F_DUMP, nil, func() { tables = nil }, func(b []byte) {
		var t Table
		t.parse(b)
		tables = append(tables, t)
	})
	if err != nil {
		return nil, fmt.Errorf("tables: %w", err)
	}
	return tables, nil
}

// Table gives a table by its name.
func (c *Conn) Table(f Family, name string) (Table, error) {
	var table Table
	request := AttrString(nil, unix.NFTA_TABLE_NAME, name)
	err := c.ask(unix.NFT_MSG_GETTABLE, f, unix.NLM_F_ACK, request, func() {}, table.parse)
	if errors.Is(err, unix.ENOENT) {
		return Table{}, nil
	}
	if err != nil {
		return Table{}, fmt.Errorf("table %s: %w", name, err)
	}
	return table, nil
}

// Chains gives each chain of a table and how many rules it has.
func (c *Conn) Chains(f Family, table string) (map[string]int, error) {
	var chains map[string]int
	err := c.ask(unix.NFT_MSG_GETCHAIN, f, unix.NLM_F_DUMP, nil, func() { chains = map[string]int{} }, func(b []byte) {
		if chain, in := names(b, unix.NFTA_CHAIN_TABLE, unix.NFTA_CHAIN_NAME); in == table {
			chains[chain] = 0
		}
	})
	if err != nil {
		return nil, fmt.Errorf("chains of table %s: %w", table, err)
	}
	rules, err := c.Rules(f, table)
	for name, hashes := range rules {
		chains[name] = len(hashes)
	}
	return chains, err
}

// Rules gives, for each chain of a table that has rules, a hash of what each of
// them says, in their order. A rule's handle would not do: one that is replaced
// keeps it.
func (c *Conn) Rules(f Family, table string) (map[string][]uint64, error) {
	var rules map[string][]uint64
	request := AttrString(nil, unix.NFTA_RULE_TABLE, table)
	err := c.ask(unix.NFT_MSG_GETRULE, f, unix.NLM_F_DUMP, request, func() { rules = map[string][]uint64{} }, func(b []byte) {
		chain, in := names(b, unix.NFTA_RULE_TABLE, unix.NFTA_RULE_CHAIN)
		if in != table {
			return
		}
		for typ, v := range attrs(b) {
			if typ == unix.NFTA_RULE_EXPRESSIONS {
				h := fnv.New64a()
				_, _ = h.Write(v) // it never fails
				rules[chain] = append(rules[chain], h.Sum64())
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("rules of table %s: %w", table, err)
	}
	return rules, nil
}

// Accepts says that a chain is there, and is a base chain that accepts what
// gets to its end or no base chain.
func (c *Conn) Accepts(f Family, table, chain string) (bool, error) {
	policy := uint64(accept)
	request := AttrString(nil, unix.NFTA_CHAIN_TABLE, table)
	request = AttrString(request, unix.NFTA_CHAIN_NAME, chain)
	err := c.ask(unix.NFT_MSG_GETCHAIN, f, unix.NLM_F_ACK, request, func() {}, func(b []byte) {
		for typ, v := range attrs(b) {
			if typ == unix.NFTA_CHAIN_POLICY {
				policy = number(v)
			}
		}
	})
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("chain %s of table %s: %w", chain, table, err)
	}
	return policy == accept, nil
}

// names reads an object's name and its table's.
func names(b []byte, of, name uint16) (object, table string) {
	for typ, v := range attrs(b) {
		switch typ {
		case of:
			table = text(v)
		case name:
			object = text(v)
		}
	}
	return object, table
}

// Sets names the sets of a table, without the anonymous ones, which are parts
// of rules.
func (c *Conn) Sets(f Family, table string) ([]string, error) {
	var sets []string
	request := AttrString(nil, unix.NFTA_SET_TABLE, table)
	err := c.ask(unix.NFT_MSG_GETSET, f, unix.NLM_F_DUMP, request, func() { sets = nil }, func(b []byte) {
		set, _ := names(b, unix.NFTA_SET_TABLE, unix.NFTA_SET_NAME)
		for typ, v := range attrs(b) {
			if typ == unix.NFTA_SET_FLAGS && number(v)&unix.NFT_SET_ANONYMOUS != 0 {
				return
			}
		}
		sets = append(sets, set)
	})
	if err != nil {
		return nil, fmt.Errorf("sets of table %s: %w", table, err)
	}
	return sets, nil
}

// Elements gives all elements of a set.
func (c *Conn) Elements(f Family, table, set string) ([]Element, error) {
	var all []Element
	request := setRequest(table, set)
	err := c.ask(unix.NFT_MSG_GETSETELEM, f, unix.NLM_F_DUMP, request, func() { all = nil }, func(b []byte) {
		all = parseList(b, all)
	})
	if err != nil {
		return nil, fmt.Errorf("elements of set %s: %w", set, err)
	}
	return all, nil
}

// Element gives the element of a key; the error wraps unix.ENOENT if it isn't
// there.
func (c *Conn) Element(f Family, table, set, k string) (Element, error) {
	var all []Element
	request := Nest(setRequest(table, set), unix.NFTA_SET_ELEM_LIST_ELEMENTS, func(m []byte) []byte {
		return Nest(m, unix.NFTA_LIST_ELEM, func(m []byte) []byte { return key(m, unix.NFTA_SET_ELEM_KEY, k) })
	})
	err := c.ask(unix.NFT_MSG_GETSETELEM, f, unix.NLM_F_ACK, request, func() { all = nil }, func(b []byte) {
		all = parseList(b, all)
	})
	if err == nil && len(all) != 1 {
		err = unix.ENOENT
	}
	if err != nil {
		return Element{}, fmt.Errorf("element of set %s: %w", set, err)
	}
	return all[0], nil
}

func setRequest(table, set string) []byte {
	m := AttrString(nil, unix.NFTA_SET_ELEM_LIST_TABLE, table)
	return AttrString(m, unix.NFTA_SET_ELEM_LIST_SET, set)
}

func parseList(b []byte, all []Element) []Element {
	for typ, v := range attrs(b) {
		if typ != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
			continue
		}
		for _, v := range attrs(v) {
			var e Element
			e.parse(v)
			all = append(all, e)
		}
	}
	return all
}
