package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// pods answer at each address of their range: with that address, and the end of
// the connection.
type pods struct {
	mu   sync.Mutex
	gone map[netip.Addr]time.Time // since when an address does not answer any more
	late []time.Duration          // how long it was gone when a connection came all the same
}

// serve starts the pods until the session ends.
func serve(s *lab.Session, where *namespace) *pods {
	p := &pods{gone: map[netip.Addr]time.Time{}}
	var listener net.Listener
	where.do(s, func() {
		var err error
		listener, err = net.Listen("tcp4", fmt.Sprintf(":%d", podPort))
		s.Must(err, "pods")
	})
	s.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.answer(conn.(*net.TCPConn))
		}
	}()
	return p
}

// answer never blocks: a few bytes always fit into a new connection.
func (p *pods) answer(conn *net.TCPConn) {
	defer conn.Close()
	at := conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	if p.isGone(at) {
		_ = conn.SetLinger(0) // a reset, as from an address without a pod
		return
	}
	text := at.As4()
	_, _ = conn.Write(text[:])
}

// leave lets an address answer for a while yet.
func (p *pods) leave(at netip.Addr, grace time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone[at] = time.Now().Add(grace)
}

func (p *pods) isGone(at netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	since, leaving := p.gone[at]
	if !leaving || time.Now().Before(since) {
		return false
	}
	p.late = append(p.late, time.Since(since))
	return true
}

// lateness says how many connections came to addresses that were gone.
func (p *pods) lateness() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.late) == 0 {
		return "none came to an endpoint that was gone"
	}
	return fmt.Sprintf("%d came to endpoints that were gone for %s to %s", len(p.late), lab.MS(slices.Min(p.late)), lab.MS(slices.Max(p.late)))
}
