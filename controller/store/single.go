package store

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	readTimeout = 10 * time.Second
	firstPause  = time.Second
	longPause   = 30 * time.Second
	steady      = 10 * time.Second // a watch that lasts so long was no failure
	// patience is how often an API server may answer with an error before that
	// counts as the answer: one Secret that etcd can't decrypt must not keep the
	// rest from being served.
	patience = 3
)

// errTooOld ends a watch whose version the server no longer knows. That is
// daily routine: the object is read anew.
var errTooOld = errors.New("the version is too old")

// A reader reads the objects of one kind and namespace. Where get is not nil, it
// is all that may be used.
type reader struct {
	get   func(ctx context.Context, name string, o metav1.GetOptions) (metav1.Object, error)
	list  func(context.Context, metav1.ListOptions) (found []metav1.Object, version string, err error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// readCluster is how Secrets and ConfigMaps are read. Others are never wanted
// one by one.
func readCluster(client kubernetes.Interface, getSecrets bool) func(ref) reader {
	return func(r ref) reader {
		switch {
		case r.kind == secrets && getSecrets:
			api := client.CoreV1().Secrets(r.key.Namespace)
			return reader{get: func(ctx context.Context, name string, o metav1.GetOptions) (metav1.Object, error) {
				return api.Get(ctx, name, o)
			}}
		case r.kind == secrets:
			api := client.CoreV1().Secrets(r.key.Namespace)
			return reader{list: func(ctx context.Context, o metav1.ListOptions) ([]metav1.Object, string, error) {
				l, err := api.List(ctx, o)
				if err != nil {
					return nil, "", err
				}
				return pointers(l.Items), l.ResourceVersion, nil
			}, watch: api.Watch}
		}
		api := client.CoreV1().ConfigMaps(r.key.Namespace)
		return reader{list: func(ctx context.Context, o metav1.ListOptions) ([]metav1.Object, string, error) {
			l, err := api.List(ctx, o)
			if err != nil {
				return nil, "", err
			}
			return pointers(l.Items), l.ResourceVersion, nil
		}, watch: api.Watch}
	}
}

func pointers[T any, P interface {
	*T
	metav1.Object
}](items []T) []metav1.Object {
	all := make([]metav1.Object, len(items))
	for i := range items {
		all[i] = P(&items[i])
	}
	return all
}

// run reads the object and watches it, and starts again when that ends, until
// ctx does.
func (one *single) run(ctx context.Context, read reader) {
	if read.get != nil {
		one.poll(ctx, read.get)
		return
	}
	failures := 0
	for ctx.Err() == nil {
		began := time.Now()
		w, err := one.open(ctx, read)
		if err == nil {
			err = one.listen(ctx, w)
		}
		if ctx.Err() != nil {
			return
		}
		// A watch that ends as soon as it begins is a failure too: a thousand of
		// them without growing pauses would keep a server busy.
		if err == nil && time.Since(began) > steady {
			failures = 0
		} else {
			failures++
		}
		if err != nil {
			one.judge(err, failures)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause(failures)):
		}
	}
}

// open reads the object and begins to watch it. It does so on a stack of its
// own: requests need 16 KB of it, and a watch that waits would keep them.
func (one *single) open(ctx context.Context, read reader) (w watch.Interface, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		o := one.only()
		if o.ResourceVersion, err = one.read(ctx, read); err != nil {
			return
		}
		if w, err = read.watch(ctx, o); err != nil {
			err = fmt.Errorf("watch: %w", err)
		}
	}()
	<-done
	return w, err
}

// only selects the one object. A role that names the object allows a list and
// a watch with this selector.
func (one *single) only() metav1.ListOptions {
	return metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, one.ref.key.Name).String(),
	}
}

// read asks for the object by a list of one. That there is none is an answer.
// A GET would do, but yields no version from which to watch: the version of an
// object that nobody has changed for long is too old for that.
func (one *single) read(ctx context.Context, read reader) (version string, err error) {
	select {
	case one.set.slots <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-one.set.slots }()
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	all, version, err := read.list(ctx, one.only())
	if err != nil {
		return "", fmt.Errorf("list: %w", err)
	}
	for _, o := range all {
		if o.GetName() == one.ref.key.Name {
			one.arrived(o)
			return version, nil
		}
	}
	one.found(nil)
	return version, nil
}

// listen returns nil when a watch that worked has ended.
func (one *single) listen(ctx context.Context, w watch.Interface) error {
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, open := <-w.ResultChan():
			if !open {
				return nil
			}
			if err := one.event(e); errors.Is(err, errTooOld) {
				return nil
			} else if err != nil {
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
	switch {
	case code == 0:
		one.set.silent(one, err)
	case failures == 1:
		one.set.log.Warn("cannot read an object, trying again", "object", one.source(), "error", err)
	}
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
