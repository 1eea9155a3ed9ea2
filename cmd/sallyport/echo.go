package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// echoDrain is how long requests under way may take once echo is told to end.
const echoDrain = 5 * time.Second

// echo answers each HTTP request with what it saw of it, on one or several
// addresses, until ctx ends. Each address is a replica with a name of its own.
// It is what the quickstart and tests have as a backend; it speaks HTTP/1.1.
//
// An error is a wrong argument, an address that can't be listened on, or a
// listener that failed. The end of ctx is none.
func echo(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := pflag.NewFlagSet("sallyport echo", pflag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.StringSlice("listen", []string{"127.0.0.1:8081"}, "addresses, host:port; each one is a replica")
	name := flags.String("name", "echo", "what a reply is signed with; several replicas are called name-1, name-2 and so on")
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return nil
	case err != nil:
		return err
	case flags.NArg() > 0:
		return fmt.Errorf("echo: unexpected argument %q", flags.Arg(0))
	case len(*listen) == 0:
		return errors.New("echo: --listen names no address")
	}
	replicas, err := newReplicas(ctx, *listen, *name, slog.New(slog.NewTextHandler(stderr, nil)))
	if err != nil {
		return err
	}
	for _, r := range replicas {
		fmt.Fprintf(stdout, "%s listens on %s\n", r.name, r.listener.Addr())
	}
	return serveReplicas(ctx, replicas)
}

// A replica is one address of an echo server.
type replica struct {
	name     string
	listener net.Listener
	server   *http.Server
}

// newReplicas listens on all addresses or on none.
func newReplicas(ctx context.Context, addresses []string, name string, log *slog.Logger) ([]*replica, error) {
	var replicas []*replica
	for i, address := range addresses {
		r := &replica{name: name}
		if len(addresses) > 1 {
			r.name = fmt.Sprintf("%s-%d", name, i+1)
		}
		var err error
		if r.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
			for _, open := range replicas {
				open.listener.Close()
			}
			return nil, fmt.Errorf("echo: %w", err)
		}
		r.server = &http.Server{
			Handler:           echoHandler(r.name),
			Protocols:         new(http.Protocols),
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          slog.NewLogLogger(log.With("replica", r.name).Handler(), slog.LevelWarn),
		}
		r.server.Protocols.SetHTTP1(true)
		replicas = append(replicas, r)
	}
	return replicas, nil
}

// serveReplicas serves until ctx ends or one of them fails, then lets requests
// under way finish.
func serveReplicas(ctx context.Context, replicas []*replica) error {
	ended := make(chan error, len(replicas))
	for _, r := range replicas {
		go func() { ended <- r.server.Serve(r.listener) }()
	}
	var failed error
	running := len(replicas)
	select {
	case <-ctx.Done():
	case failed = <-ended:
		running--
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), echoDrain)
	defer cancel()
	for _, r := range replicas {
		if r.server.Shutdown(drain) != nil {
			r.server.Close()
		}
	}
	for range running {
		<-ended
	}
	if failed != nil {
		return fmt.Errorf("echo: %w", failed)
	}
	return nil
}

// An echoReply is what a replica saw of a request.
type echoReply struct {
	Name    string      `json:"name"`
	Method  string      `json:"method"`
	URI     string      `json:"uri"` // as it came, not decoded
	Proto   string      `json:"proto"`
	Host    string      `json:"host"`
	Remote  string      `json:"remote"`
	Headers http.Header `json:"headers"`
}

func echoHandler(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply := echoReply{
			Name: name, Method: r.Method, URI: r.RequestURI, Proto: r.Proto,
			Host: r.Host, Remote: r.RemoteAddr, Headers: r.Header,
		}
		// A cached answer would hide which replica a request goes to.
		w.Header().Set("Cache-Control", "no-store")
		if strings.Contains(r.Header.Get("Accept"), "application/json") {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(reply) // the client has gone; there is nobody to tell
			return
		}
		// Names the type, so that a browser does not take a request's own
		// text for HTML.
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		reply.write(w)
	})
}

// write prints the name, then the request as it was on the wire, its headers
// sorted.
func (e echoReply) write(w io.Writer) {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\n%s %s %s\nHost: %s\n", e.Name, e.Method, e.URI, e.Proto, e.Host)
	var lines []string
	for name, values := range e.Headers {
		for _, value := range values {
			lines = append(lines, name+": "+value+"\n")
		}
	}
	sort.Strings(lines)
	for _, line := range lines {
		text.WriteString(line)
	}
	_, _ = io.WriteString(w, text.String()) // as above
}
