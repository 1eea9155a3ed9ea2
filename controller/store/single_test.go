package store

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// A server is an API server that holds one Secret, as the test says.
type server struct {
	log        lines
	mu         sync.Mutex
	reads      []metav1.ListOptions
	watches    []metav1.ListOptions
	secret     *corev1.Secret // nil: there is none
	fails      error          // of a read
	failsWatch error
	ends       bool               // watches end at once
	watch      *watch.FakeWatcher // the newest
}

func (s *server) reader(ref) reader {
	return reader{
		list: func(_ context.Context, o metav1.ListOptions) ([]metav1.Object, string, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.reads = append(s.reads, o)
			other := secret("1", "other") // a server that ignores the selector
			other.Name = "other"
			all := []metav1.Object{other}
			if s.secret != nil {
				all = append(all, s.secret.DeepCopy())
			}
			return all, "1000", s.fails
		},
		watch: func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.watches = append(s.watches, o)
			if s.failsWatch != nil {
				return nil, s.failsWatch
			}
			s.watch = watch.NewFake()
			if s.ends {
				s.watch.Stop()
			}
			return s.watch, nil
		},
	}
}

// now is what a read answers from here on.
func (s *server) now(secret *corev1.Secret, fails error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret, s.fails = secret, fails
}

// live is the newest watch.
func (s *server) live() *watch.FakeWatcher {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watch
}

// asked is how many reads there were, and how the first watch was asked for.
func (s *server) asked() (reads int, first metav1.ListOptions) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.watches) > 0 {
		first = s.watches[0]
	}
	return len(s.reads), first
}

var tls = ref{secrets, key("a", "tls")}

func secret(version, value string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "tls", ResourceVersion: version, Annotations: map[string]string{"big": "x"}},
		Data:       map[string][]byte{"tls.key": []byte(value)},
	}
}

func forbidden(verb string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "tls", errors.New("no "+verb))
}

// wanting runs a test with a set that wants one Secret.
func wanting(t *testing.T, from func(ref) reader, log *lines, test func(*Store, *singles)) {
	synctest.Test(t, func(t *testing.T) {
		store := bareStore()
		set := newSingles(from, store.pending, slog.New(slog.NewTextHandler(log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { set.run(ctx); close(done) }()
		set.want([]ref{tls})
		synctest.Wait()
		test(store, set)
		cancel()
		<-done
	})
}

// watched does that with one that may be watched.
func watched(t *testing.T, s *server, test func(*Store, *singles)) {
	wanting(t, s.reader, &s.log, test)
}

// after lets time pass and says what the Secret holds then: "" without one.
func after(s *Store, d time.Duration) (value string, c Changes) {
	time.Sleep(d)
	synctest.Wait()
	snapshot, c := s.Take()
	if o := snapshot.Secrets[tls.key]; o != nil {
		value = string(o.Data["tls.key"])
	}
	return value, c
}

func problem(s *Store) string {
	for _, all := range s.snapshot.Problems {
		return all[0].String()
	}
	return ""
}

func TestSingleFollowsItsObject(t *testing.T) {
	api := &server{secret: secret("7", "one")}
	watched(t, api, func(s *Store, set *singles) {
		if !set.settled() {
			t.Error("not settled after the first answer")
		}
		if got, c := after(s, 0); got != "one" || len(c.Secrets) != 1 {
			t.Errorf("found %q, %+v", got, c)
		}
		if s.snapshot.Secrets[tls.key].Annotations != nil {
			t.Error("not stripped")
		}
		if _, o := api.asked(); o.ResourceVersion != "1000" || o.FieldSelector != "metadata.name=tls" {
			t.Errorf("watched with %+v", o)
		}
		other := secret("8", "other")
		other.Name = "other"
		api.live().Modify(other) // a server that ignores the selector
		api.live().Modify(secret("9", "two"))
		if got, _ := after(s, 0); got != "two" {
			t.Errorf("changed to %q", got)
		}
		api.live().Delete(secret("10", "two"))
		if got, c := after(s, 0); got != "" || len(c.Secrets) != 1 {
			t.Errorf("deleted, but %q, %+v", got, c)
		}
		api.live().Add(secret("11", "three"))
		if got, _ := after(s, 0); got != "three" {
			t.Errorf("made anew, but %q", got)
		}
		if n, _ := api.asked(); n != 1 {
			t.Errorf("%d reads for one watch", n)
		}
	})
}

func TestSingleStartsAgain(t *testing.T) {
	gone := &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonExpired}
	for _, c := range []struct {
		name string
		end  func(*watch.FakeWatcher)
	}{
		{"closed", func(w *watch.FakeWatcher) { w.Stop() }},
		{"too old", func(w *watch.FakeWatcher) { w.Error(gone) }},
		{"failed", func(w *watch.FakeWatcher) { w.Error(&metav1.Status{Code: http.StatusInternalServerError}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := &server{secret: secret("7", "one")}
			watched(t, api, func(s *Store, _ *singles) {
				after(s, 0)
				api.now(secret("900", "two"), nil)
				c.end(api.live())
				if got, c := after(s, 2*time.Second); got != "two" || len(c.Secrets) != 1 {
					t.Errorf("%q, %+v", got, c)
				}
				c.end(api.live())
				if _, c := after(s, 4*time.Second); len(c.Secrets) != 0 {
					t.Error("the same content is a change")
				}
				if n, _ := api.asked(); n != 3 {
					t.Errorf("%d reads for 3 watches", n)
				}
			})
		})
	}
}

// A thousand watches that end as they begin must not keep a server busy.
func TestSingleThatEndsAtOncePausesLonger(t *testing.T) {
	api := &server{secret: secret("7", "one"), ends: true}
	watched(t, api, func(s *Store, _ *singles) {
		after(s, 10*time.Minute)
		if n, _ := api.asked(); n < 10 || n > 60 {
			t.Errorf("%d reads in 10 minutes", n)
		}
	})
}

func TestSingleMissingIsAnAnswer(t *testing.T) {
	api := &server{}
	watched(t, api, func(s *Store, set *singles) {
		if !set.settled() {
			t.Error("not settled")
		}
		if got, c := after(s, 0); got != "" || !c.Empty() {
			t.Errorf("%q, %+v", got, c)
		}
		api.live().Add(secret("1", "one"))
		if got, _ := after(s, 0); got != "one" {
			t.Errorf("made, but %q", got)
		}
	})
}

func TestSingleForbiddenIsAnAnswer(t *testing.T) {
	api := &server{fails: forbidden("list")}
	watched(t, api, func(s *Store, set *singles) {
		if !set.settled() {
			t.Error("not settled")
		}
		after(s, 0)
		if p := problem(s); !strings.HasPrefix(p, "Secret a/tls: may not be read: ") {
			t.Errorf("problem %q", p)
		}
		before, _ := api.asked()
		after(s, 10*time.Minute)
		if n, _ := api.asked(); n-before < 10 || n-before > 60 {
			t.Errorf("asked %d times in 10 minutes", n-before)
		}
		api.now(secret("1", "one"), nil)
		if got, c := after(s, time.Minute); got != "one" || problem(s) != "" || !c.Problems {
			t.Errorf("allowed, but %q, %q", got, problem(s))
		}
		// Forbidden later: what was read stays.
		api.now(nil, forbidden("list"))
		api.live().Stop()
		if got, _ := after(s, time.Minute); got != "one" || problem(s) == "" {
			t.Errorf("forbidden later: %q, %q", got, problem(s))
		}
	})
}

// Roles may allow get and not watch: then changes come with the next read.
func TestSingleThatMayNotBeWatched(t *testing.T) {
	api := &server{secret: secret("1", "one"), failsWatch: forbidden("watch")}
	watched(t, api, func(s *Store, _ *singles) {
		if got, _ := after(s, 0); got != "one" || !strings.Contains(problem(s), "watch") {
			t.Errorf("%q, %q", got, problem(s))
		}
		api.now(secret("2", "two"), nil)
		if got, _ := after(s, time.Minute); got != "two" {
			t.Errorf("after a minute %q", got)
		}
	})
}

func TestSingleServerAwayIsNoAnswer(t *testing.T) {
	for _, away := range []error{
		errors.New("dial tcp: connection refused"),
		apierrors.NewUnauthorized("no token"),
		apierrors.NewTooManyRequests("later", 1),
		apierrors.NewServiceUnavailable("starting"),
	} {
		api := &server{fails: away}
		watched(t, api, func(s *Store, set *singles) {
			after(s, time.Hour)
			if set.settled() || problem(s) != "" {
				t.Errorf("%v: settled %t, %q", away, set.settled(), problem(s))
			}
			api.now(secret("1", "one"), nil)
			if got, _ := after(s, time.Minute); got != "one" || !set.settled() {
				t.Errorf("%v: back, but %q", away, got)
			}
			api.now(nil, away)
			api.live().Stop()
			if got, c := after(s, time.Hour); got != "one" || !c.Empty() {
				t.Errorf("%v: away again, and %q, %+v", away, got, c)
			}
			if a, b := api.log.count("does not answer"), api.log.count("answers again"); a != 2 || b != 1 {
				t.Errorf("%v: said %d times that it is away, %d times that it is back", away, a, b)
			}
		})
	}
}

// One Secret that the server can't decrypt must not keep all from being ready.
func TestSingleThatTheServerCannotReadIsAnsweredInTheEnd(t *testing.T) {
	api := &server{fails: apierrors.NewInternalError(errors.New("cannot decrypt"))}
	watched(t, api, func(s *Store, set *singles) {
		if set.settled() {
			t.Error("settled by the first failure, which may be a hiccup")
		}
		after(s, time.Minute)
		if !set.settled() || !strings.Contains(problem(s), "cannot be read: ") {
			t.Errorf("settled %t, %q", set.settled(), problem(s))
		}
	})
}
