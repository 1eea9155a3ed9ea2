package userspace

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// An option sets something on a socket that is not yet bound.
type option func(fd int, f plan.Family) error

// transparent lets a socket have an address that isn't the machine's.
func transparent(fd int, f plan.Family) error {
	if f == plan.IPv4 {
		return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1)
	}
	return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1)
}

// shared lets two processes listen at the same address, so that the next one
// can begin before the last one ends.
func shared(fd int, _ plan.Family) error {
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
}

func reuse(fd int, _ plan.Family) error {
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
}

// lateport has the kernel choose a port at connect and not at bind: then it
// need only differ per destination.
func lateport(fd int, _ plan.Family) error {
	return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
}

// destined gives each datagram the address that it was sent to.
func destined(fd int, f plan.Family) error {
	if f == plan.IPv4 {
		return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVORIGDSTADDR, 1)
	}
	return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVORIGDSTADDR, 1)
}

// marked sets the mark of what a socket sends.
func marked(mark uint32) option {
	return func(fd int, _ plan.Family) error {
		if mark == 0 {
			return nil
		}
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark))
	}
}

func control(f plan.Family, options []option) func(_, _ string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			for _, o := range options {
				if failed = o(int(fd), f); failed != nil {
					return
				}
			}
		})
		return errors.Join(err, failed)
	}
}

func network(name string, f plan.Family) string {
	if f == plan.IPv4 {
		return name + "4"
	}
	return name + "6"
}

func listenTCP(ctx context.Context, at netip.AddrPort, options ...option) (*net.TCPListener, error) {
	f := plan.FamilyOf(at.Addr())
	l := net.ListenConfig{Control: control(f, options)}
	l.SetMultipathTCP(false) // the kernel doesn't splice it
	ln, err := l.Listen(ctx, network("tcp", f), at.String())
	if err != nil {
		return nil, err
	}
	return ln.(*net.TCPListener), nil
}

func listenUDP(ctx context.Context, at netip.AddrPort, options ...option) (*net.UDPConn, error) {
	f := plan.FamilyOf(at.Addr())
	l := net.ListenConfig{Control: control(f, options)}
	c, err := l.ListenPacket(ctx, network("udp", f), at.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}

// plain is an address as plans have it: no IPv4 in IPv6, no zone.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// addrPort is the address of a TCP or UDP socket.
func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		return plain(a.AddrPort())
	case *net.UDPAddr:
		return plain(a.AddrPort())
	}
	return netip.AddrPort{}
}

// loopbackOf is a family's own address of every machine.
func loopbackOf(f plan.Family) netip.Addr {
	if f == plan.IPv4 {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// sentTo reads from a datagram's control messages where it was sent to.
func sentTo(oob []byte) (netip.AddrPort, error) {
	all, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("control messages of a datagram: %w", err)
	}
	for i := range all {
		if sa, err := unix.ParseOrigDstAddr(&all[i]); err == nil {
			switch sa := sa.(type) {
			case *unix.SockaddrInet4:
				return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
			case *unix.SockaddrInet6:
				return plain(netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))), nil
			}
		}
	}
	return netip.AddrPort{}, errors.New("a datagram came without the address that it was sent to")
}

// soOriginalDst is SO_ORIGINAL_DST, and IP6T_SO_ORIGINAL_DST, of the kernel's
// netfilter headers: x/sys has it for IPv4 alone.
const soOriginalDst = 80

// translatedFrom asks conntrack where a connection was going before a rule
// turned it to this socket.
func translatedFrom(c *net.TCPConn, f plan.Family) (netip.AddrPort, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	level := unix.SOL_IP
	if f == plan.IPv6 {
		level = unix.SOL_IPV6
	}
	// Big enough for both: a sockaddr_in is the beginning of 16 bytes.
	var sa unix.RawSockaddrInet6
	size := uint32(unsafe.Sizeof(sa))
	if f == plan.IPv4 {
		size = uint32(unsafe.Sizeof(unix.RawSockaddrInet4{}))
	}
	var no unix.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, no = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, uintptr(level), soOriginalDst,
			uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)), 0)
	})
	switch {
	case err != nil:
		return netip.AddrPort{}, err
	case no != 0:
		return netip.AddrPort{}, fmt.Errorf("original destination: %w", no)
	}
	port := (*[2]byte)(unsafe.Pointer(&sa.Port))
	number := uint16(port[0])<<8 | uint16(port[1])
	if f == plan.IPv4 {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&sa))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), number), nil
	}
	return plain(netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), number)), nil
}
