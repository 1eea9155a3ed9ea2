// Sallyport turns Kubernetes Ingresses into a running nginx.
//
// Without a subcommand it runs the controller. This package only reads the
// command line and puts parts together; it decides nothing about Ingresses.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

// version is set by the build.
var version = "dev"

// A command is a subcommand: what it does until it is done or ctx ends.
type command func(ctx context.Context, args []string, stdout, stderr io.Writer) error

func main() {
	// A terminal or a log reader that goes away must not leave nginx behind.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	os.Exit(dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// dispatch is the exit status of the command line: 2 where it is wrong, 1
// where what it asked for failed.
func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	run, rest := command(controllerCommand), args
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		commands := map[string]command{
			"data-plane": dataPlaneCommand,
			"healthy":    healthy,
			"render":     render,
			"dbg":        dbg,
			"echo":       echo,
			"docs":       docs,
			"version":    printVersion,
		}
		var ok bool
		if run, ok = commands[args[0]]; !ok {
			fmt.Fprintf(stderr, "sallyport: there is no command %q; the commands are data-plane, healthy, render, dbg, echo, docs, version, and none for the controller\n", args[0])
			return 2
		}
		rest = args[1:]
	}
	err := run(ctx, rest, stdout, stderr)
	var usage *usageError
	switch {
	case err == nil || errors.Is(err, pflag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "sallyport: %v\n", err)
		return 2
	}
	fmt.Fprintf(stderr, "sallyport: %v\n", err)
	return 1
}

// A usageError is a command line that asks for something impossible.
type usageError struct{ error }

// Unwrap is what the flag package said.
func (e *usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

func printVersion(_ context.Context, _ []string, stdout, _ io.Writer) error {
	_, err := fmt.Fprintln(stdout, "sallyport", version)
	return err
}
