package userspace

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// streams carry TCP connections from clients to endpoints and back.
type streams struct {
	dial *dialer
	log  *slog.Logger
	ctx  context.Context // ends with close
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu   sync.Mutex
	open map[*net.TCPConn]struct{}
}

func newStreams(d *dialer, log *slog.Logger) *streams {
	ctx, stop := context.WithCancel(context.Background())
	return &streams{dial: d, log: log, ctx: ctx, stop: stop, open: map[*net.TCPConn]struct{}{}}
}

// A route says what an accepted connection is for. False: for nothing.
type route func(c *net.TCPConn) (target, plan.Origin, bool)

// again is how long a listener rests after an error that passes, such as too
// many open files.
const again = 50 * time.Millisecond

// accept takes the connections of a listener until that is closed.
func (s *streams) accept(ln *net.TCPListener, r route) {
	s.wg.Go(func() {
		for {
			c, err := ln.AcceptTCP()
			switch {
			case err == nil:
				s.wg.Go(func() { s.carry(c, r) })
			case errors.Is(err, net.ErrClosed):
				return
			default:
				s.log.Warn("can't take a connection", "at", ln.Addr().String(), "err", err)
				select {
				case <-time.After(again):
				case <-s.ctx.Done():
				}
			}
		}
	})
}

// carry is the whole life of one connection.
func (s *streams) carry(c *net.TCPConn, r route) {
	if !s.add(c) {
		reset(c)
		return
	}
	defer s.remove(c)
	t, origin, ok := r(c)
	if !ok {
		reset(c)
		return
	}
	up := s.connect(c, t, origin)
	if up == nil {
		reset(c)
		return
	}
	if !s.add(up) {
		reset(up)
		reset(c)
		return
	}
	defer s.remove(up)
	join(c, up)
}

// connect tries endpoint after endpoint, until one answers: nil is that none
// did.
func (s *streams) connect(c *net.TCPConn, t target, o plan.Origin) *net.TCPConn {
	client := addrPort(c.RemoteAddr())
	if !client.IsValid() {
		return nil
	}
	choice := t.service.take(t.frontend, client.Addr(), o)
	for {
		e, ok := choice.next()
		if !ok {
			return nil
		}
		up, err := s.dial.tcp(s.ctx, e.Address, lent(client, addrPort(c.LocalAddr()), e), choice.borrows(e))
		if err == nil {
			choice.settle(e)
			return up
		}
		if s.ctx.Err() != nil {
			return nil
		}
		s.log.Debug("an endpoint doesn't answer", "port", t.service.id.String(), "endpoint", e.Address.String(), "err", err)
		t.service.unpin(client.Addr(), e.Address)
	}
}

func (s *streams) add(c *net.TCPConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.open[c] = struct{}{}
	return true
}

func (s *streams) remove(c *net.TCPConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// close ends all connections, and waits until nothing of them is left. The
// listeners must have been closed before.
func (s *streams) close() {
	s.mu.Lock()
	s.stop()
	for c := range s.open {
		reset(c)
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// join carries both directions until both have ended. The end of one is passed
// on alone, for the other may have much to say yet. An error in one ends both
// with a reset, as it would have been without a proxy between.
func join(a, b *net.TCPConn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		half(a, b)
	}()
	half(b, a)
	<-done
	a.Close()
	b.Close()
}

// half carries one direction. Between two TCP connections io.Copy is splice(2):
// the bytes don't leave the kernel.
func half(to, from *net.TCPConn) {
	_, err := io.Copy(to, from)
	if err == nil {
		err = to.CloseWrite()
	}
	if err != nil {
		reset(to)
		reset(from)
	}
}

// reset closes a connection with a TCP reset. Errors don't matter: it is closed
// one way or the other.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}
