package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
)

// What nginx sends is the line alone; what else comes is one line too.
func TestLinesOfSyslog(t *testing.T) {
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := options{Syslog: free.LocalAddr().String()}
	free.Close()
	r, w := io.Pipe()
	stop := o.takeLogs(w, slog.New(slog.DiscardHandler))
	defer stop()
	conn, err := net.Dial("udp", o.Syslog)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	lines := bufio.NewReader(r)
	for text, want := range map[string]string{
		`<190>Nov 28 08:09:10 host nginx: 192.0.2.1 - - "GET / HTTP/1.1" 200`: `192.0.2.1 - - "GET / HTTP/1.1" 200`,
		"<190>Nov  8 08:09:10 nginx: a line\n":                                "a line",
		"no head at all":                                                      "no head at all",
		"two\nlines\x1b[31m\r\x00":                                            "two lines [31m  ",
		"<13>not: a head":                                                     "<13>not: a head",
	} {
		fmt.Fprint(conn, text)
		got, err := lines.ReadString('\n')
		if err != nil || got != want+"\n" {
			t.Errorf("%q became %q, %v; want %q", text, got, err, want)
		}
	}
}

// An address that can't be had costs nothing but the lines.
func TestSyslogWithoutItsAddress(t *testing.T) {
	held, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	o := options{Syslog: held.LocalAddr().String()}
	o.takeLogs(io.Discard, slog.New(slog.DiscardHandler))()
}
