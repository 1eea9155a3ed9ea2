package nginx

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"time"
)

// Serve lets a process of another container, that shares the work folder, have
// this nginx as a Remote, until ctx ends. A caller of another version is
// refused: nginx.conf and the Lua that it calls belong together.
//
// The socket is in the folder that only our user may enter.
func (n *Nginx) Serve(ctx context.Context, version string) error {
	if err := n.paths.removeFiles(n.paths.keeper); err != nil {
		return err
	}
	listener, err := net.Listen("unix", n.paths.keeper)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: n.keeper(version), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := errors.Join(os.Chmod(n.paths.keeper, 0o600), server.Serve(listener)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// An order is what a Remote asks for; a report is what came of it.
type order struct {
	Conf []byte            `json:",omitempty"`
	Data map[string]string `json:",omitempty"`
}

type report struct {
	Adopted   bool         `json:",omitempty"`
	Lives     bool         `json:",omitempty"`
	Processes Processes    `json:",omitzero"`
	Refused   *ConfigError `json:",omitempty"`
	Full      bool         `json:",omitempty"`
	Error     string       `json:",omitempty"`
}

// fail notes an error, and what a caller has to know of it.
func (r *report) fail(err error) {
	if err == nil {
		return
	}
	r.Error, r.Full = err.Error(), errors.Is(err, ErrFull)
	errors.As(err, &r.Refused)
}

// err is the error that was noted.
func (r *report) err() error {
	switch {
	case r.Refused != nil:
		return r.Refused
	case r.Full:
		return &remoteError{r.Error, ErrFull}
	case r.Error != "":
		return &remoteError{r.Error, nil}
	}
	return nil
}

// A remoteError has the words of the other process.
type remoteError struct {
	words string
	kind  error
}

func (e *remoteError) Error() string { return e.words }
func (e *remoteError) Unwrap() error { return e.kind }

// keeper answers what a Remote asks.
func (n *Nginx) keeper(version string) http.Handler {
	mux := http.NewServeMux()
	on := func(path string, do func(ctx context.Context, o order, r *report) error) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, q *http.Request) {
			var o order
			var r report
			if got := q.Header.Get(versionHeader); got != version {
				r.Error = "the data plane is of version " + version + ", and the controller of " + got
			} else if err := json.NewDecoder(q.Body).Decode(&o); err != nil {
				r.Error = err.Error()
			} else {
				r.fail(do(q.Context(), o, &r))
			}
			_ = json.NewEncoder(w).Encode(r) // whoever has gone away is told nothing
		})
	}
	on("/adopt", func(ctx context.Context, _ order, r *report) (err error) {
		if p := n.current(); p != nil && p.running() {
			r.Adopted = true // by an earlier controller
			return nil
		}
		r.Adopted, err = n.Adopt(ctx)
		return err
	})
	on("/start", func(ctx context.Context, o order, _ *report) error { return n.Start(ctx, o.Conf, o.Data) })
	on("/test", func(ctx context.Context, o order, _ *report) error { return n.Test(ctx, o.Conf) })
	on("/reload", func(ctx context.Context, o order, _ *report) error { return n.Reload(ctx, o.Conf) })
	on("/lives", func(_ context.Context, _ order, r *report) error { r.Lives = n.Lives(); return nil })
	on("/workers", func(_ context.Context, _ order, r *report) error { r.Processes = n.Workers(); return nil })
	on("/exited", func(ctx context.Context, _ order, _ *report) error {
		select {
		case <-n.Exited(): // never, where none was started
		case <-ctx.Done():
		}
		return nil
	})
	return mux
}

const versionHeader = "Sallyport-Version"
