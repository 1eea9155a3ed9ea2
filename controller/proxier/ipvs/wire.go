package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// A wire is a socket to one family of generic netlink, in the network namespace
// of the thread that opened it. It is for one goroutine at a time.
//
// The kernel works off all messages that come with one send, and an answer is
// asked for with the last alone: a thousand changes cost four system calls and
// not some thousands.
type wire struct {
	fd       int
	family   uint16
	sequence uint32
	buffer   []byte
}

// The sizes of a wire. The kernel's answer to a message that failed has the
// message's header, and all answers to one send have to fit receiveBytes.
const (
	perSend      = 256
	receiveBytes = 4 << 20
	dumpBytes    = 64 << 10 // more than the kernel puts into one part of a dump
)

// A request is one command and its attributes.
type request struct {
	command    uint8
	attributes []byte
}

// openWire finds a family by its name; the error is unix.ENOENT if the kernel
// has none.
func openWire(family string) (*wire, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	w := &wire{fd: fd, family: unix.GENL_ID_CTRL, buffer: make([]byte, dumpBytes)}
	if err := w.set(); err != nil {
		w.close()
		return nil, fmt.Errorf("netlink: %w", err)
	}
	if w.family, err = w.find(family); err != nil {
		w.close()
		return nil, fmt.Errorf("netlink family %s: %w", family, err)
	}
	return w, nil
}

func (w *wire) set() error {
	if err := unix.SetsockoptInt(w.fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1); err != nil {
		return err
	}
	// By force, for whom it is allowed; else as much as everybody may.
	if unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBytes) != nil {
		if err := unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBytes); err != nil {
			return err
		}
	}
	return unix.Bind(w.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

func (w *wire) find(family string) (id uint16, err error) {
	name := attribute(nil, unix.CTRL_ATTR_FAMILY_NAME, append([]byte(family), 0))
	err = w.ask(request{unix.CTRL_CMD_GETFAMILY, name}, 0, func(attributes []byte) {
		for kind, value := range attributesOf(attributes) {
			if kind == unix.CTRL_ATTR_FAMILY_ID && len(value) >= 2 {
				id = binary.NativeEndian.Uint16(value)
			}
		}
	})
	return id, err
}

func (w *wire) close() { unix.Close(w.fd) }

// send runs requests in their order, whatever becomes of those before, and
// gives an error for each. The error beside them says that it is unknown what
// became of them.
func (w *wire) send(requests []request) ([]error, error) {
	failed := make([]error, len(requests))
	for start := 0; start < len(requests); start += perSend {
		part := requests[start:min(start+perSend, len(requests))]
		first := w.sequence + 1
		var out []byte
		for i, r := range part {
			var flags uint16
			if i == len(part)-1 {
				flags = unix.NLM_F_ACK
			}
			out = w.message(out, r, flags)
		}
		if err := unix.Sendto(w.fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return nil, fmt.Errorf("netlink: send: %w", err)
		}
		err := w.receive(func(m netlinkMessage) (last bool) {
			at := int(m.sequence - first)
			if m.kind != unix.NLMSG_ERROR || at < 0 || at >= len(part) {
				return false // of a dump that was left before its end
			}
			failed[start+at] = m.failure()
			return at == len(part)-1
		})
		if err != nil {
			return nil, err
		}
	}
	return failed, nil
}

// ask runs one request and calls got with the attributes of each message that
// comes in answer to it.
func (w *wire) ask(r request, flags uint16, got func(attributes []byte)) error {
	out := w.message(nil, r, flags|unix.NLM_F_ACK)
	sequence := w.sequence
	if err := unix.Sendto(w.fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("netlink: send: %w", err)
	}
	var failure error
	err := w.receive(func(m netlinkMessage) (last bool) {
		switch {
		case m.sequence != sequence:
			return false
		case m.kind == unix.NLMSG_ERROR:
			failure = m.failure()
			return true
		case m.kind == unix.NLMSG_DONE:
			failure = m.failure()
			return true
		case len(m.data) >= unix.GENL_HDRLEN:
			got(m.data[unix.GENL_HDRLEN:])
		}
		return false
	})
	return errors.Join(err, failure)
}

// message appends a message with the next sequence number.
func (w *wire) message(out []byte, r request, flags uint16) []byte {
	w.sequence++
	length := unix.NLMSG_HDRLEN + unix.GENL_HDRLEN + len(r.attributes)
	out = binary.NativeEndian.AppendUint32(out, uint32(length))
	out = binary.NativeEndian.AppendUint16(out, w.family)
	out = binary.NativeEndian.AppendUint16(out, unix.NLM_F_REQUEST|flags)
	out = binary.NativeEndian.AppendUint32(out, w.sequence)
	out = binary.NativeEndian.AppendUint32(out, 0)
	out = append(out, r.command, 1, 0, 0)
	return append(out, r.attributes...)
}

// A netlinkMessage is one from the kernel.
type netlinkMessage struct {
	kind     uint16
	sequence uint32
	data     []byte
}

// failure is the error that a message tells, nil for none.
func (m netlinkMessage) failure() error {
	if len(m.data) < 4 {
		return nil
	}
	if code := int32(binary.NativeEndian.Uint32(m.data)); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// receive calls got with messages until it says that one is the last.
func (w *wire) receive(got func(netlinkMessage) (last bool)) error {
	for {
		n, _, err := unix.Recvfrom(w.fd, w.buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("netlink: receive: %w", err)
		}
		for rest := w.buffer[:n]; len(rest) >= unix.NLMSG_HDRLEN; {
			length := int(binary.NativeEndian.Uint32(rest))
			if length < unix.NLMSG_HDRLEN || length > len(rest) {
				return errors.New("netlink: receive: a message is cut off")
			}
			m := netlinkMessage{
				kind:     binary.NativeEndian.Uint16(rest[4:]),
				sequence: binary.NativeEndian.Uint32(rest[8:]),
				data:     rest[unix.NLMSG_HDRLEN:length],
			}
			if got(m) {
				return nil
			}
			rest = rest[min(aligned(length), len(rest)):]
		}
	}
}

func aligned(n int) int { return (n + 3) &^ 3 }

// attribute appends one attribute.
func attribute(out []byte, kind uint16, value []byte) []byte {
	out = binary.NativeEndian.AppendUint16(out, uint16(4+len(value)))
	out = binary.NativeEndian.AppendUint16(out, kind)
	out = append(out, value...)
	return append(out, make([]byte, aligned(len(value))-len(value))...)
}

func number(out []byte, kind uint16, value uint32) []byte {
	return attribute(out, kind, binary.NativeEndian.AppendUint32(nil, value))
}

func short(out []byte, kind, value uint16) []byte {
	return attribute(out, kind, binary.NativeEndian.AppendUint16(nil, value))
}

// attributesOf yields the kinds and values of attributes.
func attributesOf(data []byte) func(yield func(uint16, []byte) bool) {
	return func(yield func(uint16, []byte) bool) {
		for len(data) >= 4 {
			length := int(binary.NativeEndian.Uint16(data))
			if length < 4 || length > len(data) {
				return
			}
			kind := binary.NativeEndian.Uint16(data[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if !yield(kind, data[4:length]) {
				return
			}
			data = data[min(aligned(length), len(data)):]
		}
	}
}
