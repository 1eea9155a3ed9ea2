package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/spf13/pflag"
)

// profiler serves Go's profiles, as ingress-nginx does: on by default, to the
// pod itself only. No port is worth a controller that does not start, so one
// that is taken is an error in the log.
type profiler struct {
	On      bool
	Address net.IP
	Port    int // 0 is off too
}

func (p *profiler) flags(f *pflag.FlagSet) {
	f.BoolVar(&p.On, "profiling", true, "serve Go's profiles under /debug/pprof/")
	f.IPVar(&p.Address, "profiler-address", net.IPv4(127, 0, 0, 1), "address of the profiles; who reaches it can read the controller's memory")
	f.IntVar(&p.Port, "profiler-port", 10245, "port of the profiles; 0 for none")
}

func (p *profiler) check() error {
	if p.Port < 0 || p.Port > 65535 {
		return usagef("--profiler-port %d is not a port", p.Port)
	}
	return nil
}

// start listens, and returns what ends it.
func (p *profiler) start(log *slog.Logger) func() {
	if !p.On || p.Port == 0 {
		return func() {}
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(p.Address.String(), strconv.Itoa(p.Port)))
	if err != nil {
		log.Error("no profiles are served", "flag", "--profiler-port", "because", err)
		return func() {}
	}
	server := &http.Server{Handler: profiles(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("serving profiles", "error", err)
		}
	}()
	return func() { server.Close() }
}

func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
