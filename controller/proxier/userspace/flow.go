package userspace

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// How long a flow lasts without a datagram, as conntrack has it: little until
// somebody answers, more when it has gone on for a while with answers.
const (
	unreplied   = 30 * time.Second
	stream      = 120 * time.Second
	streamAfter = 2 * time.Second
)

// A key is what datagrams of one flow have in common: from whom, and to where
// the client sent them.
type key struct{ client, to netip.AddrPort }

// A back sends answers to clients: from the address that they sent to. Its
// release says that the flow needs it no longer.
type back struct {
	conn    *net.UDPConn
	release func()
}

// A flow is one client's datagrams to one endpoint.
type flow struct {
	lead
	key      key
	choice   *choice
	endpoint netip.AddrPort
	up       *net.UDPConn
	path     path // on which the client's address is borrowed
	started  time.Time
	heard    atomic.Int64 // when the last datagram came, since started
	replied  atomic.Bool
	// begun is the first datagram, for the next endpoint if this one refuses it.
	// Only who reads the answers touches it, once the flow is in the table.
	begun []byte
}

func (f *flow) hear() { f.heard.Store(int64(time.Since(f.started))) }

// until is when the flow ends, if nothing more comes.
func (f *flow) until() time.Time {
	heard := time.Duration(f.heard.Load())
	if f.replied.Load() && heard > streamAfter {
		return f.started.Add(heard + stream)
	}
	return f.started.Add(heard + unreplied)
}

// deaf says that a flow with a borrowed address gets no answers, perhaps because
// the endpoint answers the client directly.
func (f *flow) deaf() bool {
	return f.path.unsure() && !f.replied.Load() && time.Since(f.started) > tryFor
}

// answers carries what the endpoint says, until nothing has been said for long
// or the flow is closed from outside. It needs memory only while there is
// something to read. The error is the endpoint's refusal, or nil.
func (f *flow) answers(buffers *buffers) error {
	raw, err := f.up.SyscallConn()
	if err != nil {
		return nil
	}
	for {
		if err := f.up.SetReadDeadline(f.until()); err != nil {
			return nil
		}
		buf, n, err := buffers.read(raw)
		switch {
		case err == nil:
			f.answer((*buf)[:n])
			buffers.put(buf)
		case errors.Is(err, unix.ECONNREFUSED):
			return err
		case !late(err) || !time.Now().Before(f.until()):
			return nil
		}
	}
}

func (f *flow) answer(b []byte) {
	f.hear()
	if !f.replied.Swap(true) {
		f.begun = nil
		f.path.learn(true)
	}
	// A client that is gone is no concern of the endpoint's.
	_, _ = f.back.conn.WriteToUDPAddrPort(b, f.key.client)
}
