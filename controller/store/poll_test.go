package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	corev1 "k8s.io/api/core/v1"
)

// A getOnly is an API server that answers GET alone. What it remembers may lag
// behind what etcd has.
type getOnly struct {
	log            lines
	mu             sync.Mutex
	etcd, memory   *corev1.Secret
	fails          error
	cached, quorum int // requests
}

func (g *getOnly) reader(ref) reader {
	return reader{get: func(_ context.Context, name string, o metav1.GetOptions) (metav1.Object, error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		found := g.etcd
		if g.quorum++; o.ResourceVersion == "0" {
			g.quorum--
			g.cached++
			found = g.memory
		}
		switch {
		case g.fails != nil:
			return nil, g.fails
		case found == nil:
			// A typed nil beside an error, as client-go gives one.
			return (*corev1.Secret)(nil), apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, name)
		}
		return found.DeepCopy(), nil
	}}
}

// now is what a GET answers from here on.
func (g *getOnly) now(etcd, memory *corev1.Secret, fails error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.etcd, g.memory, g.fails = etcd, memory, fails
}

func (g *getOnly) asked() (cached, quorum int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cached, g.quorum
}

// polled runs a test with a set that wants one Secret and may only get it.
func polled(t *testing.T, g *getOnly, test func(*Store, *singles)) {
	wanting(t, g.reader, &g.log, test)
}

func TestPollFollowsItsObject(t *testing.T) {
	g := &getOnly{}
	polled(t, g, func(s *Store, set *singles) {
		if got, c := after(s, 0); got != "" || !set.settled() || !c.Empty() {
			t.Errorf("that there is none: %q, settled %t, %+v", got, set.settled(), c)
		}
		after(s, time.Hour)
		g.now(secret("7", "one"), secret("7", "one"), nil)
		if got, c := after(s, 2*time.Second); got != "one" || len(c.Secrets) != 1 {
			t.Errorf("two seconds after it was made %q, %+v", got, c)
		}
		before, _ := g.asked()
		if _, c := after(s, time.Minute); !c.Empty() {
			t.Errorf("nothing happened, but %+v", c)
		}
		if n, quorum := g.asked(); n-before > 11 || quorum != 0 {
			t.Errorf("%d requests in a minute, and %d to etcd", n-before, quorum)
		}
		g.now(secret("9", "two"), secret("9", "two"), nil)
		if got, _ := after(s, 10*time.Second); got != "two" {
			t.Errorf("ten seconds after it was changed %q", got)
		}
		g.now(nil, nil, nil)
		if got, c := after(s, 10*time.Second); got != "" || len(c.Secrets) != 1 {
			t.Errorf("ten seconds after it was deleted %q, %+v", got, c)
		}
		if snapshot, _ := s.Take(); snapshot.Secrets[tls.key] != nil {
			t.Error("there is still something")
		}
	})
}

// A replica of the API server that lags behind takes nothing back.
func TestPollDoesNotGoBackInTime(t *testing.T) {
	g := &getOnly{etcd: secret("100", "new"), memory: secret("100", "new")}
	polled(t, g, func(s *Store, _ *singles) {
		after(s, 0)
		for _, memory := range []*corev1.Secret{secret("99", "old"), nil} {
			g.now(secret("100", "new"), memory, nil)
			if got, c := after(s, time.Minute); got != "new" || !c.Empty() {
				t.Errorf("%q, %+v", got, c)
			}
		}
		if _, quorum := g.asked(); quorum == 0 {
			t.Error("never asked etcd")
		}
	})
}

func TestPollForbiddenIsAnAnswer(t *testing.T) {
	g := &getOnly{fails: forbidden("get")}
	polled(t, g, func(s *Store, set *singles) {
		after(s, 0)
		if p := problem(s); !set.settled() || !strings.HasPrefix(p, "Secret a/tls: may not be read: ") {
			t.Errorf("settled %t, problem %q", set.settled(), p)
		}
		g.now(secret("1", "one"), secret("1", "one"), nil)
		if got, _ := after(s, time.Minute); got != "one" || problem(s) != "" {
			t.Errorf("allowed, but %q, %q", got, problem(s))
		}
		// Forbidden later, and allowed again with nothing changed.
		g.now(nil, nil, forbidden("get"))
		if got, _ := after(s, time.Minute); got != "one" || problem(s) == "" {
			t.Errorf("forbidden later: %q, %q", got, problem(s))
		}
		g.now(secret("1", "one"), secret("1", "one"), nil)
		if got, _ := after(s, time.Minute); got != "one" || problem(s) != "" {
			t.Errorf("allowed again: %q, %q", got, problem(s))
		}
	})
}

func TestPollServerAwayIsNoAnswer(t *testing.T) {
	g := &getOnly{fails: errors.New("dial tcp: connection refused")}
	polled(t, g, func(s *Store, set *singles) {
		if after(s, time.Hour); set.settled() || problem(s) != "" {
			t.Errorf("settled %t, %q", set.settled(), problem(s))
		}
		g.now(secret("1", "one"), secret("1", "one"), nil)
		if got, _ := after(s, time.Minute); got != "one" || !set.settled() {
			t.Errorf("back, but %q", got)
		}
		if a, b := g.log.count("does not answer"), g.log.count("answers again"); a != 1 || b != 1 {
			t.Errorf("said %d times that it is away, %d times that it is back", a, b)
		}
	})
}

// Many Secrets are read at once at the start, and share one rate after that.
func TestPollLoad(t *testing.T) {
	g := &getOnly{etcd: secret("1", "one"), memory: secret("1", "one")}
	polled(t, g, func(s *Store, set *singles) {
		var refs []ref
		for i := range 5000 {
			refs = append(refs, ref{secrets, key("a", fmt.Sprintf("s%d", i))})
		}
		set.want(refs)
		synctest.Wait()
		if !set.settled() {
			t.Error("the first answers wait for the rate")
		}
		time.Sleep(time.Minute)
		before, _ := g.asked()
		time.Sleep(time.Minute)
		if n, _ := g.asked(); n-before > 60*pollRate*11/10 {
			t.Errorf("%d requests in a minute", n-before)
		}
	})
}
