package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"

	"github.com/sallyport-ingress/sallyport/controller"
	"github.com/sallyport-ingress/sallyport/nginx"
)

// A dataPlane is the nginx of this process, or of one in another container.
type dataPlane interface {
	controller.Proxy
	Paths() nginx.Paths
	Lives() bool
	Requests(ctx context.Context) (series []nginx.Series, folded float64, err error)
	Stub(ctx context.Context) (nginx.StubStatus, error)
	Spans(ctx context.Context, least, most int) (spans []nginx.Span, dropped int, err error)
	Quit(ctx context.Context) error
	Close() error
}

// dataPlaneCommand runs nginx for a controller in another container, which
// shares the work folder and has --external-data-plane. It holds nothing of the
// cluster's: no token, no client.
func dataPlaneCommand(ctx context.Context, args []string, _, stderr io.Writer) error {
	var o options
	f := pflag.NewFlagSet("sallyport data-plane", pflag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.WorkDir, "work-dir", "", "the folder that the controller has too")
	f.StringVar(&o.NginxBinary, "nginx-binary", "nginx", "the nginx to run")
	f.IntVar(&o.ShutdownGrace, "shutdown-grace-period", 0, "seconds to go on serving after SIGTERM before nginx is told to quit")
	f.StringVar(&o.LogFormat, "log-format", "text", "text or json")
	if err := f.Parse(args); err != nil {
		return &usageError{err}
	}
	switch {
	case f.NArg() > 0:
		return usagef("data-plane takes no arguments, and got %q", f.Arg(0))
	case o.WorkDir == "":
		return usagef("--work-dir is missing: the folder that the controller has too")
	case o.ShutdownGrace < 0:
		return usagef("--shutdown-grace-period %d: has to be 0 or more", o.ShutdownGrace)
	}
	log := newLog(o, stderr)
	openFiles() // nginx has our limit
	useBindService(log)
	n, err := nginx.New(nginx.Options{Binary: o.NginxBinary, Dir: o.WorkDir, Log: log})
	if err != nil {
		return err
	}
	defer n.Close()
	log.Info("starting the data plane", "version", version, "folder", o.WorkDir)
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go reapOrphans(work)
	served := make(chan error, 1)
	go func() { served <- n.Serve(work, version) }()
	grace := time.Duration(o.ShutdownGrace) * time.Second
	select {
	case err := <-served:
		return fmt.Errorf("the socket for the controller: %w", err)
	case <-ctx.Done():
		log.Info("shutting down", "grace", grace)
	}
	select {
	case <-served: // the grace period is what a controller has left; it is gone either way
	case <-time.After(grace):
	}
	stop()
	return quit(n, log)
}
