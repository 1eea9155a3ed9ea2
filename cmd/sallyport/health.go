package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// health serves /healthz and /metrics.
type health struct {
	server   *http.Server
	draining atomic.Bool
}

// listenHealth listens at once, so that a port that is taken is an error of
// the start.
func listenHealth(o options, serves func(context.Context) error, metrics http.Handler, log *slog.Logger) (*health, error) {
	listener, err := o.listening().Listen(context.Background(), "tcp", o.healthAddress())
	if err != nil {
		return nil, fmt.Errorf("--healthz-port: %w", err)
	}
	all := []net.Listener{listener}
	if o.HealthzSocket != "" {
		own, err := listenOwn(o.HealthzSocket)
		if err != nil {
			listener.Close()
			return nil, err
		}
		all = append(all, own)
	}
	h := &health{}
	mux := http.NewServeMux()
	mux.HandleFunc(o.HealthPath, func(w http.ResponseWriter, r *http.Request) {
		if h.draining.Load() {
			http.Error(w, "shutting down", http.StatusInternalServerError)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), time.Duration(o.HealthTimeout)*time.Second)
		defer cancel()
		if err := serves(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("/metrics", metrics)
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	for _, listener := range all {
		go func() {
			if err := h.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				log.Error("serving health", "error", err)
			}
		}()
	}
	return h, nil
}

// drain makes /healthz fail from now on.
func (h *health) drain() { h.draining.Store(true) }

func (h *health) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	// A scrape that takes longer is cut off.
	if h.server.Shutdown(ctx) != nil {
		h.server.Close()
	}
}
