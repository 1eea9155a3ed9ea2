package store

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bubble is a resolver with a clock and a DNS of the test's own.
type bubble struct {
	*resolver
	t     *testing.T
	begin time.Time
}

func newBubble(t *testing.T, lookup func(context.Context, string) finding) *bubble {
	b := &bubble{resolver: newResolver(Resolver{}, newPending(), slog.New(slog.DiscardHandler)), t: t, begin: time.Now()}
	b.lookup = lookup
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { b.run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return b
}

// at takes what is there so many seconds after the beginning.
func (b *bubble) at(seconds float64) map[string]*Resolution {
	time.Sleep(time.Until(b.begin.Add(time.Duration(seconds * float64(time.Second)))))
	synctest.Wait()
	return b.pending.take().addresses
}

func good(ttl int, addresses ...string) finding {
	f := finding{ttl: time.Duration(ttl) * time.Second}
	for _, a := range addresses {
		f.addresses = append(f.addresses, netip.MustParseAddr(a))
	}
	return f
}

func resolution(addresses ...string) *Resolution {
	return &Resolution{Addresses: good(0, addresses...).addresses}
}

func (b *bubble) expect(seconds float64, want map[string]*Resolution) {
	b.t.Helper()
	compare := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if d := cmp.Diff(want, b.at(seconds), compare); d != "" {
		b.t.Errorf("at %gs: (-want +got)\n%s", seconds, d)
	}
}

func TestResolverAnswersAtOnceWhatNeedsNoDNS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(_ context.Context, name string) finding {
			t.Errorf("the DNS is asked for %q", name)
			return finding{}
		})
		bad := &Resolution{Err: "is not a DNS name"}
		b.want([]string{"192.0.2.1", "::ffff:192.0.2.2", "fd00::1", "", ".", "a..b", "a b", "a;b", "ex\nample", "fe80::1%eth0"})
		if !b.settled() {
			t.Error("not settled")
		}
		b.expect(100, map[string]*Resolution{
			"192.0.2.1": resolution("192.0.2.1"), "::ffff:192.0.2.2": resolution("192.0.2.2"), "fd00::1": resolution("fd00::1"),
			"": bad, ".": bad, "a..b": bad, "a b": bad, "a;b": bad, "ex\nample": bad, "fe80::1%eth0": bad,
		})
	})
}

func TestResolverHonoursTTLAndKeepsLastGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := map[int]finding{ // by second of the look-up
			0:  good(5, "192.0.2.1"),
			5:  good(0, "192.0.2.2"),             // a TTL of 0 counts as 1 s
			6:  good(3, "192.0.2.2"),             // the same
			9:  {reason: noAnswer},               // then pauses of 1, 2, 4 … s
			10: {reason: noAnswer},               //
			12: {reason: noAnswer},               //
			16: good(4, "192.0.2.3"),             // back
			20: {reason: noAnswer},               // pauses start anew
			21: {reason: noSuchName, gone: true}, // the DNS itself says that it is gone
			23: good(100, "192.0.2.4"),
		}
		begin := time.Now()
		var mu sync.Mutex // of answers
		b := newBubble(t, func(context.Context, string) finding {
			mu.Lock()
			defer mu.Unlock()
			second := int(time.Since(begin) / time.Second)
			f, ok := answers[second]
			if !ok {
				t.Errorf("asked at %d s", second)
			}
			delete(answers, second)
			return f
		})
		b.want([]string{"db"})
		if b.settled() {
			t.Error("settled before the first answer")
		}
		b.expect(0, map[string]*Resolution{"db": resolution("192.0.2.1")})
		if !b.settled() {
			t.Error("not settled after the first answer")
		}
		b.expect(4.9, map[string]*Resolution{})
		b.expect(5, map[string]*Resolution{"db": resolution("192.0.2.2")})
		b.expect(15.9, map[string]*Resolution{})
		b.expect(16, map[string]*Resolution{"db": resolution("192.0.2.3")})
		b.expect(20.9, map[string]*Resolution{})
		b.expect(21, map[string]*Resolution{"db": {Err: noSuchName}})
		b.expect(23, map[string]*Resolution{"db": resolution("192.0.2.4")})
		b.want(nil)
		b.expect(200, map[string]*Resolution{"db": nil})
		mu.Lock()
		defer mu.Unlock()
		if len(answers) != 0 {
			t.Errorf("not asked at %v", answers)
		}
	})
}

func TestResolverBacksOffTo30Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, asked := time.Now(), []int{}
		var mu sync.Mutex // of asked
		b := newBubble(t, func(context.Context, string) finding {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, int(time.Since(begin)/time.Second))
			return finding{reason: noAnswer}
		})
		b.want([]string{"db"})
		b.expect(130, map[string]*Resolution{"db": {Err: noAnswer}}) // told once
		mu.Lock()
		defer mu.Unlock()
		if d := cmp.Diff([]int{0, 1, 3, 7, 15, 31, 61, 91, 121}, asked); d != "" {
			t.Error(d)
		}
	})
}

// Ten thousand names that take their time to fail hold up none that resolves.
func TestResolverHostileNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now, peak := make(chan int, 1), 0
		var refreshed atomic.Int32
		now <- 0
		add := func(n int) {
			v := <-now + n
			peak = max(peak, v)
			now <- v
		}
		b := newBubble(t, func(_ context.Context, name string) finding {
			add(1)
			defer add(-1)
			if name == "good" {
				refreshed.Add(1)
				return good(2, "192.0.2.1")
			}
			time.Sleep(10 * time.Second)
			return finding{reason: noAnswer}
		})
		b.want([]string{"good"})
		b.at(1)
		names := []string{"good"}
		for i := range 10_000 {
			names = append(names, fmt.Sprintf("dead-%d.example.org", i))
		}
		b.want(names)
		b.at(100)
		if n := <-now; peak > lookups {
			t.Errorf("%d look-ups at once", peak)
		} else {
			now <- n
		}
		if n := refreshed.Load(); n < 50 {
			t.Errorf("a name with a TTL of 2 s is looked up %d times in 100 s", n)
		}
		b.want([]string{"good"})
		b.at(200)
		b.resolver.mu.Lock()
		defer b.resolver.mu.Unlock()
		if len(b.dead) != 0 || len(b.living) != 1 || b.busy != 0 || b.mired != 0 || b.open != 0 {
			t.Errorf("left over: %d dead, %d living, %d busy, %d mired, %d open", len(b.dead), len(b.living), b.busy, b.mired, b.open)
		}
	})
}

// A name that is dropped and wanted again while its look-up is under way gets
// the answer of the new look-up.
func TestResolverForgetsLateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := make(chan finding)
		b := newBubble(t, func(context.Context, string) finding { return <-answers })
		b.want([]string{"db"})
		b.at(1)
		b.want(nil)
		b.want([]string{"db"})
		b.at(2)
		answers <- good(60, "192.0.2.1")
		answers <- good(60, "192.0.2.1")
		b.expect(3, map[string]*Resolution{"db": resolution("192.0.2.1")})
		if !b.settled() {
			t.Error("not settled")
		}
	})
}
