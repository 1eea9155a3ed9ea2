package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTallyCountsEachConnectionOnce(t *testing.T) {
	c := newTally()
	to, by := netip.MustParseAddrPort("10.96.1.0:80"), netip.MustParseAddr("10.248.1.0")
	c.count(to, visit{by: by}, nil)
	c.count(to, visit{by: by, repeats: 1}, nil) // what the kernel covered up
	c.count(to, visit{}, fmt.Errorf("connect: %w", unix.ECONNREFUSED))
	c.count(to, visit{}, fmt.Errorf("connect: %w", unix.EINPROGRESS))
	c.count(to, visit{}, fmt.Errorf("read: ended after 0 bytes"))
	if c.connections != 5 || c.failed() != 4 {
		t.Errorf("%d of %d failed, want 4 of 5", c.failed(), c.connections)
	}
	for _, want := range []string{"1 other", "1 refused", "1 sent again", "1 timeout", "first: 10.96.1.0:80: answered after 1 packets"} {
		if !strings.Contains(c.why(), want) {
			t.Errorf("why = %q, want %q in it", c.why(), want)
		}
	}
}

// scripted takes one connection, sends a text and closes.
func scripted(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte(text))
		l.Close() // who connects again is refused
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func TestCallWantsAWholeAnswer(t *testing.T) {
	for _, text := range []string{"", "\x0a", "\x0a\xf8\x01"} {
		if v, err := call(scripted(t, text)); err == nil {
			t.Errorf("call answered by %d bytes = %+v, want an error", len(text), v)
		}
	}
	v, err := call(scripted(t, "\x0a\xf8\x01\x02"))
	if err != nil || v.by != netip.MustParseAddr("10.248.1.2") || v.repeats != 0 || v.took <= 0 {
		t.Errorf("call = %+v, %v, want an answer by 10.248.1.2", v, err)
	}
}

func TestCallNeverConnectsTwice(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := l.Addr().(*net.TCPAddr).AddrPort()
	l.Close()
	if _, err := call(to); err == nil || reason(err) != "refused" {
		t.Errorf("call to a closed port: %v, reason %q", err, reason(err))
	}
}
