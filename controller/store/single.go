package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// How a watch of one object goes on after it ended.
const (
	getTimeout = 10 * time.Second
	firstPause = time.Second
	longPause  = 30 * time.Second
	// patience is how often an API server may answer with an error before that
	// counts as the answer: one Secret that etcd can't decrypt must not keep the
	// rest from being served.
	patience = 3
)

// errTooOld ends a watch whose version the server no longer knows. That is
// daily routine: the object is read anew.
var errTooOld = errors.New("the version is too old")

// A reader reads one object of an API server.
type reader struct {
	get   func(context.Context, metav1.GetOptions) (metav1.Object, error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// readCluster is how Secrets and ConfigMaps are read. Others are never wanted
// one by one.
func readCluster(client kubernetes.Interface) func(ref) reader {
	return func(r ref) reader {
		if r.kind == secrets {
			api := client.CoreV1().Secrets(r.key.Namespace)
			return reader{func(ctx context.Context, o metav1.GetOptions) (metav1.Object, error) {
				return api.Get(ctx, r.key.Name, o)
			}, api.Watch}
		}
		api := client.CoreV1().ConfigMaps(r.key.Namespace)
		return reader{func(ctx context.Context, o metav1.GetOptions) (metav1.Object, error) {
			return api.Get(ctx, r.key.Name, o)
		}, api.Watch}
	}
}

// run reads the object and watches it, and starts again when that ends, until
// ctx does.
func (one *single) run(ctx context.Context, read reader) {
	failures := 0
	for ctx.Err() == nil {
		err := one.follow(ctx, read)
		if err == nil {
			failures = 0
		} else if ctx.Err() == nil {
			failures++
			one.judge(err, failures)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause(failures)):
		}
	}
}

// follow returns nil when a watch that worked has ended.
func (one *single) follow(ctx context.Context, read reader) error {
	version, err := one.get(ctx, read)
	if err != nil {
		return err
	}
	w, err := read.watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, one.ref.key.Name).String(),
		// Without a version, for an object that is not there, a watch begins with
		// what is there by then: nothing is missed between the two requests.
		ResourceVersion: version,
	})
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	defer w.Stop()
	if err := one.listen(ctx, w); !errors.Is(err, errTooOld) {
		return err
	}
	return nil
}

// get asks for the object. That there is none is an answer.
func (one *single) get(ctx context.Context, read reader) (version string, err error) {
	select {
	case one.set.slots <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-one.set.slots }()
	ctx, cancel := context.WithTimeout(ctx, getTimeout)
	defer cancel()
	o, err := read.get(ctx, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		one.found(nil)
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("get: %w", err)
	}
	version = o.GetResourceVersion()
	one.arrived(o)
	return version, nil
}

func (one *single) listen(ctx context.Context, w watch.Interface) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, open := <-w.ResultChan():
			if !open {
				return nil
			}
			if err := one.event(e); err != nil {
				return err
			}
		}
	}
}

func (one *single) event(e watch.Event) error {
	if e.Type == watch.Error {
		err := apierrors.FromObject(e.Object)
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			return errTooOld
		}
		return fmt.Errorf("watch: %w", err)
	}
	o, ok := e.Object.(metav1.Object)
	if !ok || o.GetName() != one.ref.key.Name {
		return nil
	}
	switch e.Type {
	case watch.Added, watch.Modified:
		one.arrived(o)
	case watch.Deleted:
		one.found(nil)
	}
	return nil
}

func (one *single) arrived(o metav1.Object) {
	_, _ = strip(o) // it cannot fail
	one.found(o)
}

// judge decides whether a failure is an answer. Without a word of the server
// it is none: the server is away and the object stays as it is.
func (one *single) judge(err error, failures int) {
	code := answered(err)
	switch {
	case code == http.StatusForbidden:
		one.unreadable("may not be read: " + err.Error())
	case code != 0 && failures >= patience:
		one.unreadable("cannot be read: " + err.Error())
	}
	if failures > 1 {
		return
	}
	level := slog.LevelWarn
	if code == 0 {
		level = slog.LevelDebug // the informers say it, once and not for each object
	}
	one.set.log.Log(context.Background(), level, "cannot read an object, trying again",
		"object", one.ref.object().String(), "error", err)
}

// answered is the status with which an API server has refused a request for
// good: 0 where it did not answer, knows us not, or asks for patience.
func answered(err error) int {
	var s apierrors.APIStatus
	if !errors.As(err, &s) || errors.Is(err, io.EOF) {
		return 0
	}
	switch code := int(s.Status().Code); code {
	case http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return 0
	default:
		return code
	}
}

// pause is how long to wait after so many failures in a row. It is never the
// same for two: a thousand watches that ended together shall not come back
// together.
func pause(failures int) time.Duration {
	if failures == 0 {
		return rand.N(firstPause)
	}
	d := longPause
	if failures < 6 {
		d = min(d, firstPause<<(failures-1))
	}
	return d/2 + rand.N(d)
}
