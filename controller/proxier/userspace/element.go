package userspace

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// The sets and maps of a table. What changes with Ports is an element of one of
// them; rules never change with Ports.
const (
	setClusterIPs = "cluster-ips"
	mapServices   = "services"
	mapNodePorts  = "node-ports"
	setRestricted = "restricted"
	setSources    = "sources"
)

// An element is one element of a set or map. Its slot tells it from all others.
type element struct {
	slot
	verdict string // the chain to go to, or verdictDrop; "" in a set
}

// A slot is where an element is.
type slot struct {
	family   plan.Family
	set      string
	protocol plan.Protocol // with port: 0 where the set has none
	address  netip.Addr    // not valid where the set has none
	port     uint16
	source   netip.Prefix // of setSources alone
}

// The verdicts of elements: chains, but for the last one.
const (
	verdictCapture = "capture" // the proxy gets it
	verdictInside  = "inside"  // the proxy gets it from this node and its pods; others are dropped
	verdictRefuse  = "refuse"  // a reset, or an ICMP port unreachable
	verdictDrop    = "drop"
)

var errSCTP = errors.New("SCTP is not served in userspace mode")

// elements are what a port is in its family's table.
func elements(s *plan.Settings, p *plan.Port) []element {
	var all []element
	for _, f := range p.Frontends {
		v := verdict(s, p, f)
		if f.Kind == plan.NodePort {
			all = append(all, element{slot{family: p.Family, set: mapNodePorts, protocol: p.Protocol, port: f.Port}, v})
			continue
		}
		at := slot{family: p.Family, protocol: p.Protocol, address: f.Address, port: f.Port}
		all = append(all, element{at.in(mapServices), v})
		if f.Kind == plan.ClusterIP {
			all = append(all, element{slot: slot{family: p.Family, set: setClusterIPs, address: f.Address}})
		}
		if f.Sources == nil {
			continue
		}
		all = append(all, element{slot: at.in(setRestricted)})
		for _, source := range f.Sources {
			one := at.in(setSources)
			one.source = source
			all = append(all, element{slot: one})
		}
	}
	return all
}

func (s slot) in(set string) slot {
	s.set = set
	return s
}

// verdict is what the kernel does with what comes to a frontend. The proxy can
// no longer drop what it has accepted, so the kernel knows the one case in which
// some are dropped and others served.
func verdict(s *plan.Settings, p *plan.Port, f plan.Frontend) string {
	if p.Protocol == plan.SCTP {
		return verdictRefuse
	}
	elsewhere, here := s.Treat(p, f, plan.Elsewhere).Verdict, s.Treat(p, f, plan.ThisNode).Verdict
	switch {
	case elsewhere == plan.Drop && here == plan.Serve:
		return verdictInside
	case elsewhere == plan.Drop:
		return verdictDrop
	case elsewhere == plan.Reject:
		return verdictRefuse
	}
	return verdictCapture
}

// bytes are a slot's key as the kernel has it: each part is padded to four
// bytes. The end is the last key of the slot's interval, nil where it has none.
func (s slot) bytes() (key, end []byte) {
	if s.address.IsValid() {
		key = append(key, s.address.AsSlice()...)
	}
	if s.protocol != 0 {
		key = append(key, byte(s.protocol), 0, 0, 0)
		key = append(binary.BigEndian.AppendUint16(key, s.port), 0, 0)
	}
	if !s.source.IsValid() {
		return key, nil
	}
	end = append(end, key...)
	return append(key, s.source.Masked().Addr().AsSlice()...), append(end, last(s.source).AsSlice()...)
}

// last is the last address of a prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
