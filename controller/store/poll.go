package store

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// How often an object is asked for that may be read by GET alone. One that is
// awaited is seen within two seconds, a change of one that is there within ten:
// as long as no more are wanted than pollRate allows, which is 1,600. With more
// of them the pauses grow.
const (
	awaitedPause = 1800 * time.Millisecond
	presentPause = 9 * time.Second
	pollRate     = 200 // a second
)

// A getter is how one object is got.
type getter = func(ctx context.Context, name string, o metav1.GetOptions) (metav1.Object, error)

// poll gets the object again and again until ctx ends.
func (one *single) poll(ctx context.Context, get getter) {
	failures, seen := 0, metav1.Object(nil)
	for ctx.Err() == nil {
		now, err := one.get(ctx, get, seen)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			one.judge(err, failures)
		default:
			failures = 0
			one.polled(seen, now)
			seen = now
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest(seen != nil, failures)):
		}
		if one.set.polls.Wait(ctx) != nil {
			return
		}
	}
}

// rest is never the same for two, as pause is not.
func rest(present bool, failures int) time.Duration {
	longest := awaitedPause
	switch {
	case failures > 0:
		return pause(failures)
	case present:
		longest = presentPause
	}
	return longest*2/3 + rand.N(longest/3)
}

// get asks for the object; nil is that there is none. The answer may come from
// the API server's memory, which spares etcd, and which may lag behind what
// another server has said: what is older than what was seen is not believed, and
// that something is gone only by an answer from etcd.
func (one *single) get(ctx context.Context, get getter, seen metav1.Object) (metav1.Object, error) {
	now, err := one.ask(ctx, get, "0")
	if seen != nil && (apierrors.IsNotFound(err) || err == nil && older(now, seen)) {
		now, err = one.ask(ctx, get, "")
	}
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return now, err
}

// ask takes a stack of its own for the time of the request, as open does.
func (one *single) ask(ctx context.Context, get getter, version string) (now metav1.Object, err error) {
	select {
	case one.set.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-one.set.slots }()
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		now, err = get(ctx, one.ref.key.Name, metav1.GetOptions{ResourceVersion: version})
	}()
	<-done
	if err != nil {
		return nil, err
	}
	return now, nil
}

// polled passes on what is new. The first answer always is, and so is one that
// ends a row of failures, for it takes a problem back.
func (one *single) polled(seen, now metav1.Object) {
	switch {
	case now == nil && (seen != nil || one.untold()):
		one.found(nil)
	case now != nil && (seen == nil || one.untold() || seen.GetResourceVersion() != now.GetResourceVersion()):
		one.arrived(now)
	}
}

// untold says whether the last word on the object was not what was found.
func (one *single) untold() bool {
	one.set.mu.Lock()
	defer one.set.mu.Unlock()
	return !one.answered || one.complained || one.set.mute == one
}

// older says whether a is an earlier state than b. Versions are numbers that
// grow, of one object and of those that take its name after it.
func older(a, b metav1.Object) bool {
	x, err1 := strconv.ParseUint(a.GetResourceVersion(), 10, 64)
	y, err2 := strconv.ParseUint(b.GetResourceVersion(), 10, 64)
	return err1 == nil && err2 == nil && x < y
}
