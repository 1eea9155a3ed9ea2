// Package httpd turns an address and a handler into a small HTTP server that
// outlives what may befall it: an address that is taken, clients that are slow
// or many, a listener that breaks.
//
// It knows nothing of what it serves. It shares its address with nobody, so
// that two daemons on one node notice each other.
package httpd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/net/netutil"
)

const (
	connections   = 256             // a server has at most so many at a time
	headerTimeout = 3 * time.Second // a client has so long to say what it wants
	idleTimeout   = 15 * time.Second
	headerBytes   = 16 << 10
	again         = 3 * time.Second // from a failure until the next try
	grace         = time.Second     // requests have so long to finish at the end
)

// Address reads a flag such as --healthz-bind-address: an address and port, or
// an address alone, to which the default port is added. "" disables, and stays
// "". An unspecified address of either family means all of both.
func Address(flag string, port uint16) (string, error) {
	if flag == "" {
		return "", nil
	}
	if a, err := netip.ParseAddr(flag); err == nil {
		return net.JoinHostPort(a.String(), strconv.Itoa(int(port))), nil
	}
	a, err := netip.ParseAddrPort(flag)
	if err != nil {
		return "", fmt.Errorf("%q: neither an address and port nor an address", flag)
	}
	return a.String(), nil
}

// A Server serves at one address.
type Server struct {
	log      *slog.Logger
	address  string
	http     *http.Server
	listener net.Listener
	again    time.Duration
}

// New makes a server of the name that its logs carry. Its address is one that
// Address has returned and not "". A response has to be written within a
// duration, which the handler may prolong for itself.
func New(name, address string, h http.Handler, response time.Duration, log *slog.Logger) *Server {
	log = log.With("server", name, "address", address)
	return &Server{log: log, address: address, again: again, http: HTTP(h, response, log)}
}

// HTTP is a server whose clients can hold few resources, and not for long.
func HTTP(h http.Handler, response time.Duration, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       headerTimeout,
		WriteTimeout:      response,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// Bounded is a listener that has at most so many connections at a time as a
// server here may have. Others wait in the kernel's queue.
func Bounded(l net.Listener) net.Listener { return netutil.LimitListener(l, connections) }

// Bind takes the address now, for callers that don't want to run without it.
func (s *Server) Bind(ctx context.Context) error {
	if s.listener != nil {
		return nil
	}
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("%s: listen: %w", s.address, err)
	}
	s.listener = Bounded(l)
	return nil
}

// Addr is where the server listens, after Bind and before Serve.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve serves until the context is done, and returns after that. An address
// that can't be taken is tried again every few seconds; that is logged once.
func (s *Server) Serve(ctx context.Context) {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		s.stop()
	})
	for said := false; ; {
		err := s.Bind(ctx)
		if err == nil {
			s.log.Info("listening")
			said = false
			err = s.http.Serve(s.listener)
			s.listener = nil
		}
		if ctx.Err() != nil || errors.Is(err, http.ErrServerClosed) {
			break
		}
		if !said {
			s.log.Error("can't listen; trying again", "error", err, "every", s.again)
			said = true
		}
		timer := time.NewTimer(s.again)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	if !stop() {
		<-stopped
	}
	s.Close()
}

// stop lets requests finish.
func (s *Server) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.http.Close() // its error would be about the same connections
	}
}

// Close gives the address back that Bind has taken where Serve is not to be
// called any more.
func (s *Server) Close() {
	if s.listener != nil {
		s.listener.Close() // it is closed or it was never used
		s.listener = nil
	}
}
