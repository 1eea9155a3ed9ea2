package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/sallyport-ingress/sallyport/controller"
	"github.com/sallyport-ingress/sallyport/controller/debug"
	"github.com/sallyport-ingress/sallyport/nginx"
)

// listenDebug answers `sallyport dbg`, on a socket in a folder that none but this
// user can enter.
func (o *options) listenDebug(proxy dataPlane, loop *controller.Controller, b nginx.Build, pkg string, log *slog.Logger) (*http.Server, error) {
	path := proxy.Paths().Debug
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was killed
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("the socket of sallyport dbg: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: debug.Handler(debug.Options{
		Facts: debug.Facts{Version: version, Nginx: b.VersionText, Package: pkg, WorkDir: proxy.Paths().Dir, Pod: os.Getenv("POD_NAME"), Started: time.Now()},
		View: func(ctx context.Context) (debug.View, error) {
			l, err := loop.Look(ctx)
			v := debug.View{Conf: l.Conf, Generation: l.Generation, Pending: l.Pending}
			if r := l.Result; r != nil {
				v.Config, v.Ingresses, v.Problems, v.Missing = r.Config, r.Ingresses, r.Problems, r.Missing
			}
			return v, err
		},
		Status: proxy.Status,
		Ready:  loop.Ready,
	})}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("serving sallyport dbg", "error", err)
		}
	}()
	return server, nil
}
