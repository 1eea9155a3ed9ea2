package ipvs

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"

	"github.com/moby/ipvs"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// An operation is one change of the kernel's table.
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
	servers() (map[server]schedule, error)
	// reals reads the real servers of one.
	reals(server) (map[netip.AddrPort]real, error)
	do(call) error
}

// A real is what the kernel says of a real server.
type real struct {
	weight      uint16
	connections int // that are not over, however near to it
}

// kernelTable is the table of the network namespace in which it was opened.
type kernelTable struct{ handle *ipvs.Handle }

func openTable() (kernelTable, error) {
	h, err := ipvs.New("")
	if err != nil {
		return kernelTable{}, fmt.Errorf("ipvs: %w", err)
	}
	return kernelTable{h}, nil
}

func (k kernelTable) close() { k.handle.Close() }

func (k kernelTable) servers() (map[server]schedule, error) {
	listed, err := k.handle.GetServices()
	if err != nil {
		return nil, fmt.Errorf("ipvs: list virtual servers: %w", err)
	}
	all := map[server]schedule{}
	for _, s := range listed {
		if key, ok := keyOf(s); ok {
			all[key] = schedule{s.SchedName, s.Flags &^ flagHashed, s.Timeout}
		}
	}
	for key, s := range all {
		if s.Flags&flagPersistent == 0 {
			s.Timeout = 0
			all[key] = s
		}
	}
	return all, nil
}

// keyOf is false for a virtual server of a mark, which has no address.
func keyOf(s *ipvs.Service) (server, bool) {
	a, ok := netip.AddrFromSlice(s.Address)
	if !ok || s.FWMark != 0 {
		return server{}, false
	}
	return server{a, s.Port, plan.Protocol(s.Protocol)}, true
}

func (k kernelTable) reals(s server) (map[netip.AddrPort]real, error) {
	listed, err := k.handle.GetDestinations(serviceOf(s, schedule{}))
	if errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ipvs: list real servers of %v: %w", s, err)
	}
	all := map[netip.AddrPort]real{}
	for _, d := range listed {
		if a, ok := netip.AddrFromSlice(d.Address); ok {
			at := netip.AddrPortFrom(a, d.Port)
			all[at] = real{uint16(d.Weight), d.ActiveConnections + d.InactiveConnections}
		}
	}
	return all, nil
}

func (k kernelTable) do(c call) error {
	s := serviceOf(c.server, c.schedule)
	d := &ipvs.Destination{
		Address: net.IP(c.real.Addr().AsSlice()), Port: c.real.Port(), Weight: int(c.weight),
		ConnectionFlags: ipvs.ConnectionFlagMasq,
	}
	switch c.operation {
	case addServer:
		return k.handle.NewService(s)
	case setServer:
		return k.handle.UpdateService(s)
	case deleteServer:
		return ignoring(k.handle.DelService(s), unix.ESRCH)
	case addReal:
		return k.handle.NewDestination(s, d)
	case setReal:
		return k.handle.UpdateDestination(s, d)
	case deleteReal:
		return ignoring(k.handle.DelDestination(s, d), unix.ENOENT)
	}
	return fmt.Errorf("operation %d is none", c.operation)
}

// ignoring drops the error that says that what is to go isn't there.
func ignoring(err, gone error) error {
	if errors.Is(err, gone) {
		return nil
	}
	return err
}

// connections counts those that each virtual server has ever had.
func (k kernelTable) connections() (map[server]uint64, error) {
	listed, err := k.handle.GetServices()
	if err != nil {
		return nil, fmt.Errorf("ipvs: list virtual servers: %w", err)
	}
	all := map[server]uint64{}
	for _, s := range listed {
		if key, ok := keyOf(s); ok {
			all[key] = uint64(s.Stats.Connections)
		}
	}
	return all, nil
}

func serviceOf(s server, by schedule) *ipvs.Service {
	v := &ipvs.Service{
		Address: net.IP(s.Address.AsSlice()), Protocol: uint16(s.Protocol), Port: s.Port,
		SchedName: by.Name, Flags: by.Flags, Timeout: by.Timeout,
		// Of persistence: each client address by itself.
		AddressFamily: unix.AF_INET, Netmask: 0xffffffff,
	}
	if s.Address.Is6() {
		v.AddressFamily, v.Netmask = unix.AF_INET6, 128
	}
	return v
}

// A held is a virtual server as the kernel is known to hold it.
type held struct {
	schedule schedule
	reals    map[netip.AddrPort]uint16 // and their weights: 0 is draining
}

// readTable reads those virtual servers that some function wants.
func readTable(t table, wanted func(server) bool) (map[server]*held, error) {
	servers, err := t.servers()
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(servers, func(s server, _ schedule) bool { return !wanted(s) })
	all := map[server]*held{}
	for s, by := range servers {
		reals, err := t.reals(s)
		if err != nil {
			return nil, err
		}
		h := &held{by, map[netip.AddrPort]uint16{}}
		for at, r := range reals {
			h.reals[at] = r.weight
		}
		all[s] = h
	}
	return all, nil
}
