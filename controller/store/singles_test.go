package store

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

func TestSinglesImpossibleNames(t *testing.T) {
	s := bareStore()
	set := newSingles(func(r ref) reader { t.Errorf("asked for %v", r); return reader{} }, s.pending, slog.New(slog.DiscardHandler))
	bad := []ref{
		{secrets, key("a", "")}, {secrets, key("", "tls")}, {secrets, key("a", "../b")},
		{secrets, key("a", "x,metadata.name!=y")}, {secrets, key("a/secrets/b", "c")}, {secrets, key("a", strings.Repeat("x", 300))},
	}
	set.want(bad)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	set.run(ctx)
	s.Take()
	if !set.settled() || len(s.snapshot.Problems) != len(bad) {
		t.Errorf("settled %t, %d problems", set.settled(), len(s.snapshot.Problems))
	}
	set.want(nil)
	if s.Take(); !set.settled() || len(s.snapshot.Problems) != 0 {
		t.Errorf("problems of what nobody wants: %v", s.snapshot.Problems)
	}
}

func TestSinglesDropAndWantAgain(t *testing.T) {
	api := &server{secret: secret("1", "one")}
	watched(t, api, func(s *Store, set *singles) {
		after(s, 0)
		set.want(nil)
		if got, c := after(s, time.Hour); got != "" || !c.Empty() {
			t.Errorf("unwanted, but %q, %+v", got, c)
		}
		if n, _ := api.asked(); n != 1 {
			t.Errorf("an unwanted Secret is asked for: %d reads", n)
		}
		set.want([]ref{tls})
		if got, _ := after(s, 0); got != "one" {
			t.Errorf("wanted again, but %q", got)
		}
		set.want(nil)
		set.want([]ref{tls}) // before anyone took
		if got, c := after(s, 0); got != "one" || !c.Empty() {
			t.Errorf("wanted at once again: %q, %+v", got, c)
		}
	})
}

func TestSinglesAskForFewAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bareStore()
		under, peak := make(chan int, 1), 0
		under <- 0
		set := newSingles(func(ref) reader {
			return reader{
				list: func(context.Context, metav1.ListOptions) ([]metav1.Object, string, error) {
					n := <-under + 1 // the channel is the lock of peak too
					peak = max(peak, n)
					under <- n
					time.Sleep(time.Second)
					under <- <-under - 1
					return nil, "1", nil
				},
				watch: func(context.Context, metav1.ListOptions) (watch.Interface, error) { return watch.NewFake(), nil },
			}
		}, s.pending, slog.New(slog.DiscardHandler))
		var refs []ref
		for i := range 1000 {
			refs = append(refs, ref{secrets, key("a", fmt.Sprintf("s%d", i))})
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { set.run(ctx); close(done) }()
		set.want(refs)
		time.Sleep(time.Minute)
		synctest.Wait()
		if <-under; !set.settled() || peak != reads {
			t.Errorf("settled %t, %d at once", set.settled(), peak)
		}
		cancel()
		<-done
	})
}
