package model

import (
	"fmt"
	"net/netip"
	"time"
)

// A Stream is a port of nginx's whose connections, or datagrams, are handed on as
// they are.
type Stream struct {
	Port int
	UDP  bool
	Name string // for the access log
	// Addresses are where to; without any, nothing is answered.
	Addresses   []netip.AddrPort
	AcceptProxy bool // the PROXY protocol's header comes first
	SendProxy   bool // and is sent first
	// What follows is as in the stream block where it is zero.
	ConnectTimeout, Timeout time.Duration
	Responses               int // datagrams that answer one
}

// Key names the stream in nginx.conf.
func (s Stream) Key() string {
	if s.UDP {
		return fmt.Sprintf("udp_%d", s.Port)
	}
	return fmt.Sprintf("tcp_%d", s.Port)
}

// StreamSettings are those of the stream block.
type StreamSettings struct {
	AccessLog          bool
	AccessLogPath      string // "": the access log's own
	LogFormat          string
	NextUpstream       bool
	NextUpstreamTime   time.Duration
	NextUpstreamTries  int
	Responses          int
	Timeout            time.Duration
	ProxyHeaderTimeout time.Duration
}
