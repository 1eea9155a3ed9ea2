package main

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

const (
	rawTable    = "raw"
	rawServices = "services"  // address . protocol . port : goto pair
	rawSlots    = "endpoints" // address . protocol . port . slot : address . port
	rawChain    = "pair"      // what serves a Service of two endpoints
)

// insertRaw puts the elements that n Services of two endpoints need at least
// into an empty namespace, and gives the time from the first byte to encode to
// the kernel's last word.
func insertRaw(s *lab.Session, n int) (took time.Duration) {
	newNamespace(s).do(s, func() {
		table := layRaw(s)
		k, err := dialKernel()
		s.Must(err, "nftables")
		defer unix.Close(k.fd)
		start := time.Now()
		s.Must(k.insertAll(n), "raw elements")
		took = time.Since(start)
		checkRaw(s, table, n)
	})
	return took
}

// layRaw makes the table with its two maps, empty.
func layRaw(s *lab.Session) *nftables.Table {
	c, err := nftables.New()
	s.Must(err, "nftables")
	t := c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: rawTable})
	c.AddChain(&nftables.Chain{Table: t, Name: rawChain})
	service := []nftables.SetDatatype{nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService}
	key, err := nftables.ConcatSetType(service...)
	s.Must(err, "nftables")
	slotKey, err := nftables.ConcatSetType(append(service, nftables.TypeMark)...)
	s.Must(err, "nftables")
	endpoint, err := nftables.ConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService)
	s.Must(err, "nftables")
	s.Must(c.AddSet(&nftables.Set{Table: t, Name: rawServices, IsMap: true, Concatenation: true, KeyType: key, DataType: nftables.TypeVerdict}, nil), rawServices)
	s.Must(c.AddSet(&nftables.Set{Table: t, Name: rawSlots, IsMap: true, Concatenation: true, KeyType: slotKey, DataType: endpoint}, nil), rawSlots)
	s.Must(c.Flush(), "nftables")
	return t
}

// checkRaw makes sure that the time was that of all elements.
func checkRaw(s *lab.Session, t *nftables.Table, n int) {
	c, err := nftables.New()
	s.Must(err, "nftables")
	for name, want := range map[string]int{rawServices: n, rawSlots: 2 * n} {
		set, err := c.GetSetByName(t, name)
		s.Must(err, name)
		got, err := c.GetSetElements(set)
		s.Must(err, name)
		if len(got) != want {
			s.Fatalf("raw map %s: %d elements, want %d", name, len(got), want)
		}
	}
}

func (k *kernel) insertAll(n int) error {
	pair := verdict(rawChain)
	for i := range n {
		key := serviceKey(front(i), 0)
		if err := k.add(rawServices, key[:12], pair); err != nil {
			return err
		}
	}
	if err := k.commit(); err != nil {
		return err
	}
	for i := range n {
		for slot, a := range endpointsOf(i) {
			key, at := serviceKey(front(i), slot), endpointValue(a)
			if err := k.add(rawSlots, key[:], value(at[:])); err != nil {
				return err
			}
		}
	}
	return k.commit()
}

// serviceKey is what the packet's fields are laid out as, each from a register
// of its own.
func serviceKey(at netip.AddrPort, slot int) (key [16]byte) {
	a := at.Addr().As4()
	copy(key[:], a[:])
	key[4] = unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(key[8:], at.Port())
	binary.NativeEndian.PutUint32(key[12:], uint32(slot))
	return key
}

// endpointValue is laid out as serviceKey is.
func endpointValue(a netip.Addr) (v [8]byte) {
	b := a.As4()
	copy(v[:], b[:])
	binary.BigEndian.PutUint16(v[4:], podPort)
	return v
}
