package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// A Conn talks to nf_tables of the network namespace in which it was opened.
// One goroutine uses it at a time.
type Conn struct {
	fd  int
	buf []byte
}

// The socket's buffers, in bytes. A batch is one message to the socket and has
// to fit; an error for each of its messages comes back at once.
const (
	sendBuffer    = 256 << 20
	receiveBuffer = 16 << 20
)

// Open opens a socket. The error is unix.EPROTONOSUPPORT where the kernel has
// no netfilter netlink.
func Open() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("netfilter socket: %w", err)
	}
	c := &Conn{fd: fd, buf: make([]byte, 64<<10)}
	if err := c.prepare(); err != nil {
		c.Close()
		return nil, fmt.Errorf("netfilter socket: %w", err)
	}
	return c, nil
}

func (c *Conn) prepare() error {
	if err := unix.Bind(c.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	// Without the right to it, the system's bound holds: enough for a look.
	_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer)
	_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
	// An error comes without the message that it is about: that has 60 KiB.
	_ = unix.SetsockoptInt(c.fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	return nil
}

// Close closes the socket.
func (c *Conn) Close() error { return unix.Close(c.fd) }

// ErrChanged says that somebody else changed nf_tables since the generation
// that a batch was for.
var ErrChanged = errors.New("nf_tables changed meanwhile")

// Commit makes the kernel take a batch, if nf_tables is still at a generation;
// else the error is ErrChanged and nothing is done. On success the generation
// is the one after it.
func (c *Conn) Commit(b *Batch, generation uint32) error {
	if b.Empty() {
		return nil
	}
	return c.send(b, generation, true)
}

// Check asks the kernel whether it would take a batch.
func (c *Conn) Check(b *Batch) error { return c.send(b, 0, false) }

// Sequence numbers of the ends of a batch; its messages have those from 1.
const (
	seqBegin = 0
	seqEnd   = 1<<32 - 1
)

// send sends a batch, whose last message asks for an answer: those of the two
// ends get none before Linux 6.10. Without its end the kernel goes through a
// batch, answers, and takes all of it back.
func (c *Conn) send(b *Batch, generation uint32, whole bool) error {
	begin := header(nil, unix.NFNL_MSG_BATCH_BEGIN, 0, seqBegin, unix.NFPROTO_UNSPEC, unix.NFNL_SUBSYS_NFTABLES)
	if generation != 0 {
		begin = AttrU32(begin, unix.NFNL_BATCH_GENID, generation)
		binary.NativeEndian.PutUint32(begin, uint32(len(begin)))
	}
	flags := b.b[b.last+6:]
	binary.NativeEndian.PutUint16(flags, binary.NativeEndian.Uint16(flags)|unix.NLM_F_ACK)
	parts := [][]byte{begin, b.b}
	if whole {
		parts = append(parts, header(nil, unix.NFNL_MSG_BATCH_END, 0, seqEnd, unix.NFPROTO_UNSPEC, unix.NFNL_SUBSYS_NFTABLES))
	}
	if _, err := unix.SendmsgBuffers(c.fd, parts, nil, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}, 0); err != nil {
		return fmt.Errorf("nf_tables batch of %d bytes: %w", len(b.b), err)
	}
	return c.answer()
}

// answer reads what the kernel said of a batch. All of it is there when the
// send returns, for the kernel goes through a batch within the call.
func (c *Conn) answer() error {
	var first error
	heard := false
	for {
		n, _, err := unix.Recvfrom(c.fd, c.buf, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN && heard:
			return first
		case err == unix.EAGAIN:
			return errors.New("nf_tables gave no answer to a batch")
		case err != nil:
			return fmt.Errorf("nf_tables batch: %w", err)
		}
		for m := range messages(c.buf[:n]) {
			heard = true
			if err := m.err(); err != nil && first == nil {
				first = batchError(m.seq, err)
			}
		}
	}
}

func batchError(seq uint32, err error) error {
	if seq == seqBegin && errors.Is(err, unix.ERESTART) {
		return ErrChanged
	}
	return fmt.Errorf("nf_tables message %d: %w", seq, err)
}
