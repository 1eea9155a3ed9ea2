package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a client waits for an answer. Nothing here takes so long
// but a packet that was dropped.
const patience = 5 * time.Second

// A visit is what became of one connection.
type visit struct {
	took    time.Duration // of the connect alone
	by      netip.Addr    // the pod that answered
	repeats int           // packets that the client's kernel sent again, which covers up for a loss
}

// call connects once, reads who answers, and ends the connection with a reset,
// so that nothing of it stays behind. It blocks its thread.
func call(to netip.AddrPort) (visit, error) {
	fd, took, err := dial(to)
	if err != nil {
		return visit{}, err
	}
	defer unix.Close(fd)
	var text [4]byte
	for got := 0; got < len(text); {
		n, err := unix.Read(fd, text[got:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return visit{}, fmt.Errorf("read: %w", err)
		}
		if n == 0 {
			return visit{}, fmt.Errorf("read: ended after %d bytes", got)
		}
		got += n
	}
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return visit{}, fmt.Errorf("tcp info: %w", err)
	}
	return visit{took: took, by: netip.AddrFrom4(text), repeats: int(info.Total_retrans)}, nil
}

// touch connects once and reads nothing.
func touch(to netip.AddrPort) (time.Duration, error) {
	fd, took, err := dial(to)
	if err != nil {
		return 0, err
	}
	return took, unix.Close(fd)
}

// dial is connect(2) and nothing around it: the time of a goroutine's wake-up
// would be as long.
func dial(to netip.AddrPort) (fd int, took time.Duration, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("socket: %w", err)
	}
	if err := prepare(fd); err != nil {
		unix.Close(fd)
		return 0, 0, fmt.Errorf("socket: %w", err)
	}
	start := time.Now()
	err = unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	if errors.Is(err, unix.EINTR) { // the connect goes on by itself
		err = finish(fd)
	}
	took = time.Since(start)
	if err != nil {
		unix.Close(fd)
		return 0, 0, fmt.Errorf("connect: %w", err)
	}
	return fd, took, nil
}

// finish waits for a connect that a signal interrupted.
func finish(fd int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, int(patience.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return unix.ETIMEDOUT
		}
		code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil || code == 0 {
			return err
		}
		return unix.Errno(code)
	}
}

func prepare(fd int) error {
	limit := unix.NsecToTimeval(patience.Nanoseconds())
	// Linux bounds a blocking connect by the time that sending may take.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
		return err
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return err
	}
	return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}
