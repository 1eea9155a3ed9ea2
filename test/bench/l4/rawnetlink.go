package main

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// A kernel is a socket to nftables, and the batch that is being written for it.
// It encodes by hand, so that what it takes is the kernel's time and hardly
// more.
type kernel struct {
	fd       int
	sequence uint32
	batch    []byte
	message  int // where the open message begins
	list     int // where its list of elements begins; 0 where no message is open
	elements int
}

const (
	// An attribute's length has 16 bits, and a list of elements is one.
	listBytes = 60 << 10
	// A batch holds a lock that all of nftables shares.
	batchElements = 20000
	// NFTA_DATA_VERDICT of linux/netfilter/nf_tables.h.
	dataVerdict = 2
)

func dialKernel() (*kernel, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	return &kernel{fd: fd}, errors.Join(
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 64<<20),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20))
}

// add writes an element of a map into the batch, and sends the batch when it is
// full. The data is an attribute within NFTA_SET_ELEM_DATA.
func (k *kernel) add(set string, key, data []byte) error {
	if k.elements == batchElements {
		if err := k.commit(); err != nil {
			return err
		}
	}
	if k.list != 0 && len(k.batch)-k.list > listBytes {
		k.endElements()
	}
	if k.list == 0 {
		k.beginElements(set)
	}
	element := k.open(unix.NFTA_LIST_ELEM)
	part := k.open(unix.NFTA_SET_ELEM_KEY)
	k.attribute(unix.NFTA_DATA_VALUE, key)
	k.shut(part)
	part = k.open(unix.NFTA_SET_ELEM_DATA)
	k.batch = append(k.batch, data...)
	k.shut(part)
	k.shut(element)
	k.elements++
	return nil
}

// commit sends the batch and waits for the kernel's word on it.
func (k *kernel) commit() error {
	if k.list == 0 {
		return nil
	}
	// The kernel answers the last message when all of the batch is in force.
	binary.NativeEndian.PutUint16(k.batch[k.message+6:], unix.NLM_F_REQUEST|unix.NLM_F_CREATE|unix.NLM_F_ACK)
	last := k.sequence
	k.endElements()
	k.header(unix.NFNL_MSG_BATCH_END, 0, unix.NFNL_SUBSYS_NFTABLES)
	k.endMessage()
	err := unix.Sendto(k.fd, k.batch, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	k.batch, k.elements = k.batch[:0], 0
	if err != nil {
		return fmt.Errorf("send a batch: %w", err)
	}
	return k.acknowledged(last)
}

// acknowledged reads until the answer to one message. The first error is the
// answer to all.
func (k *kernel) acknowledged(sequence uint32) error {
	buffer := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(k.fd, buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("answer to a batch: %w", err)
		}
		if n < unix.SizeofNlMsghdr+unix.SizeofNlMsgerr || binary.NativeEndian.Uint16(buffer[4:]) != unix.NLMSG_ERROR {
			return fmt.Errorf("answer to a batch: %d bytes that are no acknowledgement", n)
		}
		if code := int32(binary.NativeEndian.Uint32(buffer[unix.SizeofNlMsghdr:])); code != 0 {
			return fmt.Errorf("batch: %w", unix.Errno(-code))
		}
		if binary.NativeEndian.Uint32(buffer[8:]) == sequence {
			return nil
		}
	}
}

func (k *kernel) beginElements(set string) {
	if len(k.batch) == 0 {
		k.header(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.NFNL_SUBSYS_NFTABLES)
		k.endMessage()
	}
	k.header(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWSETELEM, unix.AF_INET, 0)
	k.attribute(unix.NFTA_SET_ELEM_LIST_TABLE, append([]byte(rawTable), 0))
	k.attribute(unix.NFTA_SET_ELEM_LIST_SET, append([]byte(set), 0))
	k.list = k.open(unix.NFTA_SET_ELEM_LIST_ELEMENTS)
}

func (k *kernel) endElements() {
	k.shut(k.list)
	k.list = 0
	k.endMessage()
}

// header begins a message: nlmsghdr and nfgenmsg.
func (k *kernel) header(kind uint16, family byte, resource uint16) {
	k.sequence++
	k.message = len(k.batch)
	k.batch = binary.NativeEndian.AppendUint32(k.batch, 0) // the length: endMessage
	k.batch = binary.NativeEndian.AppendUint16(k.batch, kind)
	k.batch = binary.NativeEndian.AppendUint16(k.batch, unix.NLM_F_REQUEST|unix.NLM_F_CREATE)
	k.batch = binary.NativeEndian.AppendUint32(k.batch, k.sequence)
	k.batch = binary.NativeEndian.AppendUint32(k.batch, 0)
	k.batch = append(k.batch, family, unix.NFNETLINK_V0)
	k.batch = binary.BigEndian.AppendUint16(k.batch, resource)
}

func (k *kernel) endMessage() {
	binary.NativeEndian.PutUint32(k.batch[k.message:], uint32(len(k.batch)-k.message))
}

// open begins a nested attribute, and gives where.
func (k *kernel) open(kind uint16) int {
	at := len(k.batch)
	k.batch = binary.NativeEndian.AppendUint16(k.batch, 0)
	k.batch = binary.NativeEndian.AppendUint16(k.batch, kind|unix.NLA_F_NESTED)
	return at
}

func (k *kernel) shut(at int) {
	binary.NativeEndian.PutUint16(k.batch[at:], uint16(len(k.batch)-at))
}

func (k *kernel) attribute(kind uint16, value []byte) {
	k.batch = appendAttribute(k.batch, kind, value)
}

func appendAttribute(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.NLA_HDRLEN+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%unix.NLA_ALIGNTO != 0 {
		b = append(b, 0)
	}
	return b
}

// verdict is the data of an element that goes to a chain.
func verdict(chain string) []byte {
	code := binary.BigEndian.AppendUint32(nil, uint32(0xffffffff&int64(unix.NFT_GOTO)))
	inner := appendAttribute(nil, unix.NFTA_VERDICT_CODE, code)
	inner = appendAttribute(inner, unix.NFTA_VERDICT_CHAIN, append([]byte(chain), 0))
	return appendAttribute(nil, dataVerdict|unix.NLA_F_NESTED, inner)
}

// value is the data of an element that is a value.
func value(data []byte) []byte { return appendAttribute(nil, unix.NFTA_DATA_VALUE, data) }
