package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/nginx"
)

// A port is one of TCP or of UDP.
type port struct {
	number int
	udp    bool
}

// portsIn are those that a nginx.conf listens on.
func portsIn(conf []byte) map[port]bool {
	all := map[port]bool{}
	for line := range bytes.Lines(conf) {
		line = bytes.TrimLeft(line, " ")
		if !bytes.HasPrefix(line, []byte("listen ")) {
			continue
		}
		words := strings.Fields(strings.NewReplacer(";", " ", `"`, "").Replace(string(line)))
		if len(words) < 2 {
			continue
		}
		if number, err := strconv.Atoi(words[1][strings.LastIndexByte(words[1], ':')+1:]); err == nil {
			all[port{number, len(words) > 2 && (words[2] == "udp" || words[2] == "quic")}] = true
		}
	}
	return all
}

// serves says whether the nginx.conf of a folder has our ports.
func (o *options) serves(p nginx.Paths) bool {
	conf, err := os.ReadFile(p.Conf)
	ports := portsIn(conf)
	return err == nil && ports[port{number: o.HTTPPort}] && ports[port{number: o.HTTPSPort}]
}

// had are the ports that an nginx has: that its file names them is no more than
// a memory once all of it is gone.
type had struct {
	proxy dataPlane
	file  os.FileInfo // that ports are of; it is replaced, never changed
	ports map[port]bool
}

func (h *had) has(p port) bool {
	path := h.proxy.Paths().Conf
	now, err := os.Stat(path)
	if err != nil {
		return false
	}
	if h.file == nil || !os.SameFile(h.file, now) || !h.file.ModTime().Equal(now.ModTime()) {
		conf, err := os.ReadFile(path)
		if err != nil {
			return false
		}
		h.file, h.ports = now, portsIn(conf)
	}
	return h.ports[p] && h.proxy.Lives()
}

// taken says why nginx can't listen on a port, "" where it can, or does already.
func (o *options) taken(proxy dataPlane) func(number int, udp bool) string {
	ours := &had{proxy: proxy}
	return func(number int, udp bool) string {
		p := port{number, udp}
		if ours.has(p) {
			return ""
		}
		if err := o.free(p); err != nil {
			return err.Error()
		}
		return ""
	}
}

// absent says why nothing can listen on an address, "" where something can.
func absent(address string) string {
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return err.Error()
	}
	l.Close()
	return ""
}

// claimPorts says where nginx will listen, and finds out now whether it can:
// unless it does already.
func (o *options) claimPorts(proxy dataPlane, log *slog.Logger) (model.Listen, error) {
	listen := model.Listen{HTTPPort: o.HTTPPort, HTTPSPort: o.HTTPSPort, DefaultPort: o.DefaultPort, StatusPort: o.StatusPort, IPv6: hasIPv6()}
	ours := &had{proxy: proxy}
	for name, number := range map[string]int{"http-port": o.HTTPPort, "https-port": o.HTTPSPort} {
		p := port{number: number}
		if ours.has(p) {
			continue // an nginx to adopt, or workers of one that died with this folder
		}
		if err := o.free(p); err != nil {
			return listen, fmt.Errorf("--%s: %w", name, err)
		}
	}
	if p := (port{number: listen.StatusPort}); p.number != 0 && !ours.has(p) {
		if err := p.free(o.listening()); err != nil {
			log.Warn("nginx's status has no port", "flag", "--status-port", "because", err)
			listen.StatusPort = 0
		}
	}
	if p := (port{number: listen.DefaultPort}); p.number != 0 && !ours.has(p) {
		if err := o.free(p); err != nil {
			log.Warn("the built-in 404 has no port of its own", "flag", "--default-server-port", "because", err)
			listen.DefaultPort = 0
		}
	}
	return listen, nil
}

// free says why nginx can't have a port now. Where nginx is another container's,
// that this one may not have it says nothing of that one.
func (o *options) free(p port) error {
	err := p.free(o.listening())
	if o.ExternalDataPlane && errors.Is(err, syscall.EACCES) {
		return nil
	}
	return err
}

// free says why a port can't be had now.
func (p port) free(listening *net.ListenConfig) error {
	if p.udp {
		c, err := listening.ListenPacket(context.Background(), "udp", ":"+strconv.Itoa(p.number))
		if err != nil {
			return err
		}
		return c.Close()
	}
	l, err := listening.Listen(context.Background(), "tcp", ":"+strconv.Itoa(p.number))
	if errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("%w (ports below 1024 need root or CAP_NET_BIND_SERVICE)", err)
	}
	if err != nil {
		return err
	}
	return l.Close()
}
