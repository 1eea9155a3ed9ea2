package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// listening is how this process listens. Where ports are shared, another process
// of the same user that shares them, too, may have the same one: so a pod on the
// host network and the one that takes its place serve side by side for a while.
func (o *options) listening() *net.ListenConfig {
	if !o.SharePorts {
		return &net.ListenConfig{}
	}
	return &net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		failed := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		if failed != nil {
			return failed
		}
		return err
	}}
}

// listenOwn listens on the socket of --healthz-socket, and takes away what a
// process that was killed has left there.
func listenOwn(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("--healthz-socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("--healthz-socket: %w", err)
	}
	return l, nil
}

// healthy asks a controller by its socket whether it serves: the probe of a pod
// whose port may be answered by another one.
func healthy(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := pflag.NewFlagSet("sallyport healthy", pflag.ContinueOnError)
	f.SetOutput(stderr)
	path := f.String("health-check-path", "/healthz", "path that tells whether nginx serves")
	if err := f.Parse(args); err != nil {
		return &usageError{err}
	}
	if f.NArg() != 1 {
		return usagef("healthy: name the socket of --healthz-socket")
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", f.Arg(0))
	}}}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+*path, nil)
	if err != nil {
		return usagef("healthy: %v", err)
	}
	q.Close = true
	r, err := client.Do(q)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	said, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", r.Status, said)
	}
	_, err = stdout.Write(said)
	return err
}
