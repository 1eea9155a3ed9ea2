package admission

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sync/semaphore"
)

// An Observer is told what was done; *metrics.Metrics is one, by way of cmd.
type Observer interface {
	Judged(namespace, name string, j Judgement)
	Answered(took time.Duration)
	Listening(yes bool)
}

// Options are a Server's parts. All are needed but Listening, ClientCA and Namespace, and
// either a Keeper or a Certificate and its Key.
type Options struct {
	Address          string            // as net.Listen takes it
	Listening        *net.ListenConfig // nil: as usual
	Certificate, Key string            // files in PEM
	Keeper           *Keeper           // of a certificate that this replica makes itself
	// ClientCA is a file of authorities in PEM. Where it is set, only callers
	// with a certificate by one of them are answered.
	ClientCA  string
	Namespace string // the only one whose Ingresses are judged
	Judge     *Judge
	Observer  Observer
	Log       *slog.Logger
}

// A Server answers the API server.
type Server struct {
	o      Options
	memory *semaphore.Weighted // bytes of bodies
	work   *semaphore.Weighted // objects that are judged
}

// New makes a Server.
func New(o Options) *Server {
	if o.Listening == nil {
		o.Listening = &net.ListenConfig{}
	}
	return &Server{o: o, memory: semaphore.NewWeighted(bodies), work: semaphore.NewWeighted(judges())}
}

// Run answers until ctx ends. An address that can't be had is told, and tried
// again: traffic does not depend on it.
func (s *Server) Run(ctx context.Context) {
	pause := time.Second
	for ctx.Err() == nil {
		listener, err := s.o.Listening.Listen(ctx, "tcp", s.o.Address)
		if err == nil {
			pause = time.Second
			s.o.Log.Info("the admission webhook listens", "address", listener.Addr().String(), "callers verified", s.o.ClientCA != "")
			s.o.Observer.Listening(true)
			err = s.Serve(ctx, listener)
			s.o.Observer.Listening(false)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		s.o.Log.Error("the admission webhook does not listen; traffic is served all the same", "error", err, "again", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, 30*time.Second)
	}
}

// Serve answers on a listener until ctx ends or the listener fails. It closes
// the listener.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	files := &files{o: s.o}
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       headerTimeout + mostTimeout + bodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug), // a caller's fault, as often as it likes
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: files.config}
	ended := make(chan error, 1)
	go func() {
		ended <- server.Serve(tls.NewListener(netutil.LimitListener(listener, connections), config))
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if server.Shutdown(last) != nil {
		server.Close()
	}
	<-ended
	return nil
}

// ServeHTTP answers one question, at any path.
func (s *Server) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(q.Context(), timeout(q))
	defer cancel()
	answer, err := s.handle(ctx, w, q)
	var wrong *requestError
	switch {
	case err == nil:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(answer) // who has gone away misses it
		s.o.Observer.Answered(time.Since(start))
		return
	case errors.As(err, &wrong):
	case ctx.Err() != nil:
		wrong = &requestError{http.StatusServiceUnavailable, "too much is asked at once"}
		w.Header().Set("Retry-After", "1")
	default:
		wrong = &requestError{http.StatusInternalServerError, "internal error"}
		s.o.Log.Error("the admission webhook failed", "error", err)
	}
	w.Header().Set("Connection", "close") // there may be more of a body than was read
	http.Error(w, wrong.text, wrong.status)
}

func (s *Server) handle(ctx context.Context, w http.ResponseWriter, q *http.Request) ([]byte, error) {
	if q.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &requestError{http.StatusMethodNotAllowed, "an AdmissionReview is posted"}
	}
	if kind, _, err := mime.ParseMediaType(q.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, &requestError{http.StatusUnsupportedMediaType, "an AdmissionReview is application/json"}
	}
	size := q.ContentLength
	if size > maxBody {
		return nil, errBody
	}
	if size < 0 {
		size = maxBody
	}
	size = max(size, leastBody)
	if err := s.memory.Acquire(ctx, size); err != nil {
		return nil, err
	}
	body, err := read(w, q)
	if err != nil {
		s.memory.Release(size)
		return nil, err
	}
	if err := s.work.Acquire(ctx, 1); err != nil {
		s.memory.Release(size)
		return nil, err
	}
	return s.within(ctx, body, func() {
		s.work.Release(1)
		s.memory.Release(size)
	})
}

var errBody = &requestError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", maxBody)}

func read(w http.ResponseWriter, q *http.Request) ([]byte, error) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // where there is a connection
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, errBody
	case err != nil:
		return nil, &requestError{http.StatusBadRequest, "the body does not end"}
	}
	return body, nil
}

// within answers while ctx lasts. What takes longer is let go on, and holds its
// place until it is done: there are never more at work than there are places.
func (s *Server) within(ctx context.Context, body []byte, done func()) ([]byte, error) {
	type outcome struct {
		answer []byte
		err    error
	}
	result := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				o = outcome{err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
			}
			done()
			result <- o
		}()
		o.answer, o.err = s.review(body)
	}()
	select {
	case o := <-result:
		return o.answer, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
