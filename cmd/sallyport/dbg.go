package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sallyport-ingress/sallyport/nginx"
)

const dbgUsage = `usage: sallyport dbg [--work-dir FOLDER] COMMAND

Asks the controller that runs beside it, as the same user. The commands are:

  backends list       the names of all backends
  backends all        all backends, their endpoints and who sends requests there
  backends get NAME   one of them
  certs get HOST      the certificates that a host's clients are shown, without
                      the key; of all other hosts where HOST is _
  conf                the nginx.conf that nginx runs with
  general             versions and counts
  generation          what nginx runs with, and whether a change is on its way
  problems            what is wrong with objects, a line each

`

// imageWorkDir is the work folder of the image.
const imageWorkDir = "/run/sallyport"

// dbg asks a running controller.
func dbg(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := pflag.NewFlagSet("dbg", pflag.ContinueOnError)
	f.SetInterspersed(true)
	dir := f.String("work-dir", "", "the controller's work folder; without it, the one that is found")
	f.Usage = func() { fmt.Fprint(stderr, dbgUsage+f.FlagUsages()) }
	if err := f.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		return &usageError{err}
	}
	path, err := dbgPath(f.Args())
	if err != nil {
		return err
	}
	var socket string
	if *dir != "" {
		socket, err = nginx.PathsIn(*dir).Debug, listens(ctx, *dir)
	} else {
		socket, err = findDebug(ctx)
	}
	if err != nil {
		return err
	}
	return askDebug(ctx, socket, path, stdout)
}

// dbgPath is what a command line asks for.
func dbgPath(words []string) (string, error) {
	const commands = "the commands are backends, certs, conf, general, generation, problems"
	if len(words) == 0 {
		return "", usagef("dbg: %s", commands)
	}
	line := strings.Join(words[:min(len(words), 2)], " ")
	switch {
	case len(words) == 1 && words[0] == "backends", line == "backends all" && len(words) == 2:
		return "/backends", nil
	case line == "backends list" && len(words) == 2:
		return "/backends/names", nil
	case line == "backends get" && len(words) == 3:
		return "/backends/" + url.PathEscape(words[2]), nil
	case line == "certs get" && len(words) == 3:
		return "/certs/" + url.PathEscape(words[2]), nil
	case words[0] == "backends":
		return "", usagef("dbg backends: list, all, or get and a name")
	case words[0] == "certs":
		return "", usagef("dbg certs: get and a host")
	case len(words) > 1:
		return "", usagef("dbg %s: unexpected argument %q", words[0], words[1])
	case strings.Contains(" conf general generation problems ", " "+words[0]+" "):
		return "/" + words[0], nil
	}
	return "", usagef("dbg: there is no command %q; %s", words[0], commands)
}

// findDebug is the socket of the one controller of this user that is found.
func findDebug(ctx context.Context) (string, error) {
	dirs, err := nginx.FreshDirs()
	if err != nil {
		return "", err
	}
	var running []string
	for _, dir := range append(dirs, imageWorkDir) {
		if listens(ctx, dir) == nil {
			running = append(running, dir)
		}
	}
	switch len(running) {
	case 0:
		return "", errors.New("no controller of this user is found here: run it beside the controller, as its user, and name its work folder with --work-dir where it was given one")
	case 1:
		return nginx.PathsIn(running[0]).Debug, nil
	}
	return "", fmt.Errorf("several controllers run here; name one with --work-dir: %s", strings.Join(running, ", "))
}

// listens says why the controller of a folder can't be asked.
func listens(ctx context.Context, dir string) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", nginx.PathsIn(dir).Debug)
	switch {
	case err == nil:
		return c.Close()
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the controller of %s runs as another user: run this as the same one", dir)
	}
	return fmt.Errorf("no controller runs in %s: %w", dir, err)
}

// askDebug copies the answer, or is what the controller said of it.
func askDebug(ctx context.Context, socket, path string, stdout io.Writer) error {
	var d net.Dialer
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) },
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://controller"+path, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the controller did not answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(resp.Body)
		return errors.Join(errors.New(strings.TrimSpace(string(text))), err)
	}
	_, err = io.Copy(stdout, resp.Body)
	return err
}
