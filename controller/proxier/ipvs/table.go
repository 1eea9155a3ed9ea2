package ipvs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// The numbers of linux/ip_vs.h that are used here.
const (
	commandNewService = 1
	commandSetService = 2
	commandDelService = 3
	commandGetService = 4
	commandNewReal    = 5
	commandSetReal    = 6
	commandDelReal    = 7
	commandGetReal    = 8
	commandSetConfig  = 12

	attributeService = 1 // nested
	attributeReal    = 2 // nested
	configTCP        = 4
	configTCPFin     = 5
	configUDP        = 6

	serviceFamily    = 1
	serviceProtocol  = 2
	serviceAddress   = 3
	servicePort      = 4 // big endian
	serviceMark      = 5
	serviceScheduler = 6
	serviceFlags     = 7 // flags and mask
	serviceTimeout   = 8
	serviceNetmask   = 9
	serviceStats     = 10 // nested: of 32 bits
	serviceStats64   = 12

	realAddress  = 1
	realPort     = 2 // big endian
	realMethod   = 3
	realWeight   = 4
	realUpper    = 5
	realLower    = 6
	realActive   = 7
	realInactive = 8
	realFamily   = 11

	statsConnections = 1
)

// An operation is one kind of change of the kernel's table.
type operation int

const (
	addServer operation = iota
	setServer
	deleteServer
	addReal
	setReal
	deleteReal
)

// A call is one operation and its operands: schedule for addServer and
// setServer, real for the last three, weight for two of them.
type call struct {
	operation operation
	server    server
	schedule  schedule
	real      netip.AddrPort
	weight    uint16
}

// A table is the kernel's table of virtual servers. It is a seam, too.
type table interface {
	// servers reads all virtual servers but those of a mark.
	servers() (map[server]listed, error)
	// reals reads the real servers of one; none if there is no such one.
	reals(server) (map[netip.AddrPort]real, error)
	// do makes calls in their order and gives an error for each. The error
	// beside them says that it is unknown what became of them.
	do([]call) ([]error, error)
}

// A listed is a virtual server as the kernel lists it.
type listed struct {
	schedule    schedule
	connections uint64 // that it has ever had, as of the last two seconds
}

// A real is what the kernel says of a real server.
type real struct {
	weight      uint16
	connections int // that are not over, however near to it
}

// kernelTable is the table of the network namespace in which it was opened.
type kernelTable struct{ wire *wire }

// openTable fails with unix.ENOENT where the kernel has no ipvs.
func openTable() (kernelTable, error) {
	w, err := openWire("IPVS")
	return kernelTable{w}, err
}

func (k kernelTable) close() { k.wire.close() }

func (k kernelTable) servers() (map[server]listed, error) {
	all := map[server]listed{}
	err := k.wire.ask(request{commandGetService, nil}, unix.NLM_F_DUMP, func(answer []byte) {
		for kind, value := range attributesOf(answer) {
			if s, l, ok := readService(value); ok && kind == attributeService {
				all[s] = l
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("ipvs: list virtual servers: %w", err)
	}
	return all, nil
}

// readService is false for a virtual server of a mark, which has no address.
func readService(data []byte) (s server, l listed, ok bool) {
	var family uint16
	var address []byte
	for kind, value := range attributesOf(data) {
		switch {
		case kind == serviceFamily && len(value) >= 2:
			family = binary.NativeEndian.Uint16(value)
		case kind == serviceProtocol && len(value) >= 2:
			s.Protocol = plan.Protocol(binary.NativeEndian.Uint16(value))
		case kind == serviceAddress:
			address = value
		case kind == servicePort && len(value) >= 2:
			s.Port = binary.BigEndian.Uint16(value)
		case kind == serviceScheduler:
			l.schedule.Name = string(bytes.TrimRight(value, "\x00"))
		case kind == serviceFlags && len(value) >= 4:
			l.schedule.Flags = binary.NativeEndian.Uint32(value) &^ flagHashed
		case kind == serviceTimeout && len(value) >= 4:
			l.schedule.Timeout = binary.NativeEndian.Uint32(value)
		case kind == serviceStats || kind == serviceStats64:
			l.connections = max(l.connections, readConnections(value))
		}
	}
	if l.schedule.Flags&flagPersistent == 0 {
		l.schedule.Timeout = 0
	}
	s.Address, ok = readAddress(family, address)
	return s, l, ok
}

func readConnections(data []byte) uint64 {
	for kind, value := range attributesOf(data) {
		switch {
		case kind != statsConnections:
		case len(value) >= 8:
			return binary.NativeEndian.Uint64(value)
		case len(value) >= 4:
			return uint64(binary.NativeEndian.Uint32(value))
		}
	}
	return 0
}

// readAddress reads an address from the sixteen bytes that the kernel has for
// one of either family.
func readAddress(family uint16, data []byte) (netip.Addr, bool) {
	switch {
	case family == unix.AF_INET && len(data) >= 4:
		return netip.AddrFrom4([4]byte(data)), true
	case family == unix.AF_INET6 && len(data) >= 16:
		return netip.AddrFrom16([16]byte(data)), true
	}
	return netip.Addr{}, false
}

func (k kernelTable) reals(s server) (map[netip.AddrPort]real, error) {
	all := map[netip.AddrPort]real{}
	err := k.wire.ask(request{commandGetReal, nest(attributeService, name(s))}, unix.NLM_F_DUMP, func(answer []byte) {
		for kind, value := range attributesOf(answer) {
			if at, r, ok := readReal(value); ok && kind == attributeReal {
				all[at] = r
			}
		}
	})
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("ipvs: list real servers of %v: %w", s, err)
	}
	return all, nil
}

func readReal(data []byte) (at netip.AddrPort, r real, ok bool) {
	var family, port uint16
	var address []byte
	for kind, value := range attributesOf(data) {
		switch {
		case kind == realFamily && len(value) >= 2:
			family = binary.NativeEndian.Uint16(value)
		case kind == realAddress:
			address = value
		case kind == realPort && len(value) >= 2:
			port = binary.BigEndian.Uint16(value)
		case kind == realWeight && len(value) >= 4:
			r.weight = uint16(binary.NativeEndian.Uint32(value))
		case (kind == realActive || kind == realInactive) && len(value) >= 4:
			r.connections += int(binary.NativeEndian.Uint32(value))
		}
	}
	a, ok := readAddress(family, address)
	return netip.AddrPortFrom(a, port), r, ok
}

func (k kernelTable) do(calls []call) ([]error, error) {
	requests := make([]request, len(calls))
	for i, c := range calls {
		requests[i] = c.request()
	}
	failed, err := k.wire.send(requests)
	if err != nil {
		return nil, fmt.Errorf("ipvs: %w", err)
	}
	for i, c := range calls {
		gone := c.operation == deleteServer && errors.Is(failed[i], unix.ESRCH) ||
			c.operation == deleteReal && (errors.Is(failed[i], unix.ENOENT) || errors.Is(failed[i], unix.ESRCH))
		if gone {
			failed[i] = nil // that is what was wanted
		}
	}
	return failed, nil
}

func (c call) request() request {
	service := name(c.server)
	r := request{}
	switch c.operation {
	case addServer:
		r.command, service = commandNewService, details(service, c.schedule, c.server.Address.Is6())
	case setServer:
		r.command, service = commandSetService, details(service, c.schedule, c.server.Address.Is6())
	case deleteServer:
		r.command = commandDelService
	case addReal:
		r.command = commandNewReal
	case setReal:
		r.command = commandSetReal
	case deleteReal:
		r.command = commandDelReal
	}
	r.attributes = nest(attributeService, service)
	if c.operation >= addReal {
		r.attributes = append(r.attributes, nest(attributeReal, c.realAttributes())...)
	}
	return r
}

// realAttributes are for forwarding by NAT, which is method 0.
func (c call) realAttributes() []byte {
	out := attribute(nil, realAddress, c.real.Addr().AsSlice())
	out = attribute(out, realPort, binary.BigEndian.AppendUint16(nil, c.real.Port()))
	out = short(out, realFamily, familyNumber(c.real.Addr().Is6()))
	out = number(out, realMethod, 0)
	out = number(out, realWeight, uint32(c.weight))
	out = number(out, realUpper, 0)
	return number(out, realLower, 0)
}

func familyNumber(six bool) uint16 {
	if six {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

func nest(kind uint16, inner []byte) []byte {
	return attribute(nil, kind|unix.NLA_F_NESTED, inner)
}

// name is what tells a virtual server from others.
func name(s server) []byte {
	out := short(nil, serviceFamily, familyNumber(s.Address.Is6()))
	out = short(out, serviceProtocol, uint16(s.Protocol))
	out = attribute(out, serviceAddress, s.Address.AsSlice())
	return attribute(out, servicePort, binary.BigEndian.AppendUint16(nil, s.Port))
}

// details are how a virtual server chooses. Persistence is for each client
// address by itself.
func details(out []byte, by schedule, six bool) []byte {
	out = attribute(out, serviceScheduler, append([]byte(by.Name), 0))
	flags := binary.NativeEndian.AppendUint32(nil, by.Flags)
	out = attribute(out, serviceFlags, binary.NativeEndian.AppendUint32(flags, ^uint32(0)))
	out = number(out, serviceTimeout, by.Timeout)
	if six {
		return number(out, serviceNetmask, 128)
	}
	return number(out, serviceNetmask, ^uint32(0))
}

// try makes and deletes a virtual server of a mark, which takes no traffic as
// none has such a mark. The first error is about making it.
func (k kernelTable) try(mark uint32, scheduler string) error {
	named := number(short(nil, serviceFamily, unix.AF_INET), serviceMark, mark)
	full := details(bytes.Clone(named), schedule{Name: scheduler}, false)
	failed, err := k.wire.send([]request{
		{commandNewService, nest(attributeService, full)}, {commandDelService, nest(attributeService, named)},
	})
	if err != nil {
		return err
	}
	if failed[0] != nil && !errors.Is(failed[0], unix.EEXIST) {
		return failed[0]
	}
	return failed[1]
}

// setTimeouts sets those that aren't 0, in whole seconds.
func (k kernelTable) setTimeouts(tcp, tcpFin, udp time.Duration) error {
	var out []byte
	for kind, d := range map[uint16]time.Duration{configTCP: tcp, configTCPFin: tcpFin, configUDP: udp} {
		out = number(out, kind, uint32(d.Seconds())) // the kernel takes 0 for no change
	}
	failed, err := k.wire.send([]request{{commandSetConfig, out}})
	return errors.Join(append(failed, err)...)
}
