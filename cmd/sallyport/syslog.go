package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
)

// maxDatagram is more than nginx sends in one: its log lines end at 4 kB, and at
// 64 kB a datagram does.
const maxDatagram = 1 << 16

// syslogHead is what nginx puts before a line that goes to syslog: facility and
// level, time, host, and a tag.
var syslogHead = regexp.MustCompile(`^<\d{1,3}>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (\S+ )?\w+: `)

// takeLogs writes what comes in by syslog, a line for each datagram, and returns
// what ends it. No log is worth a controller that does not start, so an address
// that can't be had is an error in the log.
func (o *options) takeLogs(w io.Writer, log *slog.Logger) func() {
	if o.Syslog == "" {
		return func() {}
	}
	conn, err := net.ListenPacket("udp", o.Syslog)
	if err != nil {
		log.Error("no lines are taken by syslog", "flag", "--internal-logger-address", "because", err)
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		copyLines(w, conn)
	}()
	return func() { conn.Close(); <-done }
}

func copyLines(w io.Writer, conn net.PacketConn) {
	buffer := make([]byte, maxDatagram)
	for {
		n, _, err := conn.ReadFrom(buffer)
		if err != nil {
			return // it is closed
		}
		fmt.Fprintf(w, "%s\n", oneLine(syslogHead.ReplaceAll(buffer[:n], nil)))
	}
}

// oneLine leaves no byte in that begins a line, or tells a terminal something.
func oneLine(text []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, bytes.TrimRight(text, "\n"))
}
