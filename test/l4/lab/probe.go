package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// An Outcome is what became of one probe.
type Outcome uint8

// The outcomes.
const (
	Answered Outcome = iota
	Refused          // at once: by a TCP reset, or an ICMP error that says so
	Dropped          // nothing came back
	Broken           // something else; see Result.Err
)

func (o Outcome) String() string {
	return [...]string{"answered", "refused", "dropped", "broken"}[o]
}

// A Result is an Outcome with what was answered.
type Result struct {
	Outcome
	Answer
	Err error
}

func (r Result) String() string {
	switch {
	case r.Outcome == Answered:
		return fmt.Sprintf("answered by %v, who sees %v", r.Endpoint, r.Source)
	case r.Err != nil:
		return fmt.Sprintf("%v: %v", r.Outcome, r.Err)
	}
	return r.Outcome.String()
}

// A Probe is one new connection, or one datagram of a new socket.
type Probe struct {
	From    *Namespace
	Source  netip.Addr // the zero Addr: the one that the route prefers
	Network string     // tcp or udp
	To      netip.AddrPort
	// Wait is after how much silence the probe counts as dropped.
	Wait time.Duration
}

// Send sends the probe, once.
func (p Probe) Send() Result {
	f, err := p.Open()
	if err != nil {
		return failed(err)
	}
	defer f.Close()
	return f.Ask(p.Wait)
}

// A Flow is a connection, or a connected UDP socket.
type Flow struct {
	conn   net.Conn
	reader *bufio.Reader
}

// Open connects. The socket stays in the namespace.
func (p Probe) Open() (*Flow, error) {
	for {
		f, err := p.open()
		if errors.Is(err, unix.EADDRINUSE) {
			continue // a server has the port, or a late segment may come for it: on to the next one
		}
		return f, err
	}
}

func (p Probe) open() (*Flow, error) {
	d := net.Dialer{Timeout: p.Wait}
	d.SetMultipathTCP(false)
	if source := p.Source.AsSlice(); p.Network == "udp" {
		d.LocalAddr = &net.UDPAddr{IP: source, Port: sourcePort(&p.From.udp)}
	} else {
		d.LocalAddr = &net.TCPAddr{IP: source, Port: sourcePort(&p.From.tcp)}
	}
	f := &Flow{}
	err := p.From.Do(func() (err error) {
		f.conn, err = d.DialContext(context.Background(), p.Network, p.To.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	f.reader = bufio.NewReaderSize(f.conn, 512)
	return f, nil
}

// sourcePort gives each socket a port that none had before it: for a kernel that
// remembers flows, a datagram's port that comes again is the old flow. And ipvs
// keeps the port of a connection, so that a port which two connections to two
// services have in turn is one flow to the endpoint of both: the second's SYN is
// lost for as long as conntrack remembers the first's end (2 minutes).
func sourcePort(last *atomic.Uint32) int {
	const first, count = 33000, 32000
	return first + int(last.Add(1)%count)
}

// Ask sends one line or datagram and waits for the answer to it.
func (f *Flow) Ask(wait time.Duration) Result {
	if err := f.conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return failed(err)
	}
	// Whose own output is rejected or dropped is told EPERM by a datagram's send,
	// and only where it was rejected something else follows.
	if _, err := f.conn.Write([]byte("who?\n")); err != nil && !errors.Is(err, unix.EPERM) {
		return failed(err)
	}
	line, err := f.reader.ReadString('\n')
	if err != nil {
		return failed(err)
	}
	a, err := parseAnswer(line)
	if err != nil {
		return Result{Outcome: Broken, Err: err}
	}
	return Result{Answer: a}
}

// Close ends the flow.
func (f *Flow) Close() { f.conn.Close() }

// LocalAddr is the client's address and port.
func (f *Flow) LocalAddr() netip.AddrPort { return plain(f.conn.LocalAddr()) }

func failed(err error) Result {
	var timeout net.Error
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return Result{Outcome: Refused, Err: err}
	case errors.As(err, &timeout) && timeout.Timeout() && !errors.Is(err, unix.ETIMEDOUT):
		return Result{Outcome: Dropped}
	}
	return Result{Outcome: Broken, Err: err}
}
