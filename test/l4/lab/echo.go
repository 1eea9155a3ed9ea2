package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// An Answer is what an echo server says of one line or datagram: the address at
// which it was asked, and by whom.
type Answer struct {
	Endpoint netip.AddrPort
	Source   netip.AddrPort
}

func (a Answer) line() string { return a.Endpoint.String() + " " + a.Source.String() + "\n" }

func parseAnswer(line string) (a Answer, err error) {
	at, by, ok := strings.Cut(strings.TrimSpace(line), " ")
	if !ok {
		return a, fmt.Errorf("answer %q: not two addresses", line)
	}
	if a.Endpoint, err = netip.ParseAddrPort(at); err != nil {
		return a, err
	}
	a.Source, err = netip.ParseAddrPort(by)
	return a, err
}

// A server answers at one address until it is closed.
type server struct {
	tcp net.Listener
	udp *net.UDPConn

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Echo makes a namespace answer at an address, TCP and UDP: on each line or
// datagram with an Answer. The address "::" is all addresses of both families.
func (w *Network) Echo(n *Namespace, address string, port uint16) error {
	s := &server{conns: map[net.Conn]bool{}}
	at := net.JoinHostPort(address, strconv.Itoa(int(port)))
	err := n.Do(func() (err error) {
		var c net.ListenConfig
		c.SetMultipathTCP(false)
		if s.tcp, err = c.Listen(context.Background(), "tcp", at); err != nil {
			return err
		}
		p, err := c.ListenPacket(context.Background(), "udp", at)
		if err == nil {
			s.udp = p.(*net.UDPConn)
		}
		return err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("%s: echo: %w", n.name, err), s.close())
	}
	w.servers = append(w.servers, s)
	go s.accept()
	if address == "::" {
		go s.everywhere(port)
	} else {
		go s.datagrams()
	}
	return nil
}

func (s *server) accept() {
	for {
		c, err := s.tcp.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		go s.lines(c)
	}
}

func (s *server) lines(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	a := Answer{Endpoint: plain(c.LocalAddr()), Source: plain(c.RemoteAddr())}
	for r := bufio.NewReader(c); ; {
		if _, err := r.ReadString('\n'); err != nil {
			return
		}
		if _, err := c.Write([]byte(a.line())); err != nil {
			return
		}
	}
}

func (s *server) datagrams() {
	at := plain(s.udp.LocalAddr())
	buffer := make([]byte, 512)
	for {
		_, by, err := s.udp.ReadFromUDPAddrPort(buffer)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		a := Answer{Endpoint: at, Source: netip.AddrPortFrom(by.Addr().Unmap(), by.Port())}
		_, _ = s.udp.WriteToUDPAddrPort([]byte(a.line()), by)
	}
}

// everywhere answers from the address that was asked: a socket bound to none
// would answer from the one that the route prefers.
func (s *server) everywhere(port uint16) {
	p4, p6 := ipv4.NewPacketConn(s.udp), ipv6.NewPacketConn(s.udp)
	if err := p6.SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface, true); err != nil {
		return
	}
	_ = p4.SetControlMessage(ipv4.FlagDst, true)
	buffer := make([]byte, 512)
	for {
		_, cm, by, err := p6.ReadFrom(buffer)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		if cm == nil || cm.Dst == nil {
			continue
		}
		to, _ := netip.AddrFromSlice(cm.Dst)
		a := Answer{Endpoint: netip.AddrPortFrom(to.Unmap(), port), Source: plain(by)}
		if to.Unmap().Is4() {
			_, _ = p4.WriteTo([]byte(a.line()), &ipv4.ControlMessage{Src: to.Unmap().AsSlice()}, by)
		} else {
			_, _ = p6.WriteTo([]byte(a.line()), &ipv6.ControlMessage{Src: to.AsSlice()}, by)
		}
	}
}

func (s *server) close() error {
	var all []error
	if s.tcp != nil {
		all = append(all, s.tcp.Close())
	}
	if s.udp != nil {
		all = append(all, s.udp.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
	return errors.Join(all...)
}

// plain is an address as one of its own family.
func plain(a net.Addr) netip.AddrPort {
	var p netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		p = a.AddrPort()
	case *net.UDPAddr:
		p = a.AddrPort()
	}
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}
