package controller

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/nginx"
)

// recorder is an nginx that takes pushes, fails the first ones, and can hold
// one up.
type recorder struct {
	fail  int
	hold  chan struct{}
	items map[string]string
	calls int
}

func (r *recorder) push(_ context.Context, set map[string]string, del []string) error {
	r.calls++
	if r.hold != nil {
		<-r.hold
	}
	if r.fail > 0 {
		r.fail--
		return errors.New("no answer")
	}
	for key, text := range set {
		r.items[key] = text
	}
	for _, key := range del {
		delete(r.items, key)
	}
	return nil
}

func startLane(t *testing.T, r *recorder) *lane {
	r.items = map[string]string{}
	l := newLane(r.push, fakeObserver{}, 0, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go l.run(ctx)
	return l
}

// A push that fails is tried again, and never over what is newer.
func TestLaneTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{fail: 3}
		l := startLane(t, r)
		l.send(map[string]string{"a": "1", "b": "1", "c": "1"}, nil, nil)
		synctest.Wait()
		l.send(map[string]string{"a": "2"}, []string{"b"}, nil)
		<-l.flushed()
		if diff := cmp.Diff(map[string]string{"a": "2", "c": "1"}, r.items); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// What is sent while a push is under way goes in one more.
func TestLaneMerges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{hold: make(chan struct{})}
		l := startLane(t, r)
		l.send(map[string]string{"a": "1"}, nil, nil)
		synctest.Wait()
		for _, text := range []string{"2", "3", "4"} {
			l.send(map[string]string{"a": text}, nil, nil)
		}
		l.send(nil, []string{"b"}, nil)
		close(r.hold)
		<-l.flushed()
		if r.items["a"] != "4" || r.calls != 2 {
			t.Errorf("items %v after %d pushes", r.items, r.calls)
		}
	})
}

// What is dropped is not pushed any more, and nobody waits for it.
func TestLaneDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{fail: 1 << 30}
		l := startLane(t, r)
		l.send(map[string]string{"a": "1"}, nil, nil)
		done := l.flushed()
		synctest.Wait()
		l.drop()
		<-done
		r.fail = 0
		l.send(map[string]string{"b": "1"}, nil, nil)
		<-l.flushed()
		if diff := cmp.Diff(map[string]string{"b": "1"}, r.items); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// What nginx has no room for holds up nothing, and is pushed again once
// something was deleted.
func TestLaneGoesOnWithoutWhatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		room := false
		l := newLane(func(ctx context.Context, set map[string]string, del []string) error {
			big, has := set["big"]
			delete(set, "big")
			_ = r.push(ctx, set, del)
			if has && !room {
				set["big"] = big
				return &nginx.FullError{Keys: []string{"big"}}
			}
			if has {
				r.items["big"] = big
			}
			return nil
		}, fakeObserver{}, 0, slog.New(slog.DiscardHandler))
		r.items = map[string]string{"old": "1"}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go l.run(ctx)
		l.send(map[string]string{"big": "1", "small": "1"}, nil, nil)
		<-l.flushed()
		if diff := cmp.Diff(map[string]string{"old": "1", "small": "1"}, r.items); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		room = true
		l.send(nil, []string{"old"}, nil)
		synctest.Wait()
		if diff := cmp.Diff(map[string]string{"big": "1", "small": "1"}, r.items); diff != "" {
			t.Errorf("after there is room, -want +got:\n%s", diff)
		}
	})
}
