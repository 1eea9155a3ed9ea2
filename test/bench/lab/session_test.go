package lab

import (
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
)

func TestAttemptCleansUpWhateverHappens(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(s *Session)
		want string
	}{
		{"returns", func(*Session) {}, ""},
		{"is ended", func(s *Session) { s.Fatalf("no %s", "nginx") }, "no nginx"},
		{"fails and goes on", func(s *Session) { s.Errorf("one"); s.Errorf("two") }, "one; two"},
		{"panics", func(*Session) { panic("oops") }, "panic: oops"},
	} {
		var order []string
		err := Attempt(c.name, io.Discard, func(s *Session) {
			s.Cleanup(func() { order = append(order, "first made") })
			s.Cleanup(func() { order = append(order, "last made"); s.Cleanup(func() { order = append(order, "late") }) })
			c.end(s)
		})
		if got := errorText(err); got != c.want {
			t.Errorf("%s: error %q, want %q", c.name, got, c.want)
		}
		if got := strings.Join(order, ", "); got != "last made, late, first made" {
			t.Errorf("%s: cleanups ran as %s", c.name, got)
		}
	}
}

func TestAttemptGoesOnAfterACleanupThatFails(t *testing.T) {
	ran := false
	err := Attempt("x", io.Discard, func(s *Session) {
		s.Cleanup(func() { ran = true })
		s.Cleanup(func() { s.Fatalf("still running") })
	})
	if !ran || errorText(err) != "still running" {
		t.Errorf("the other cleanup ran: %v, error %v", ran, err)
	}
}

func TestParallelDoesAllAndTellsOfAnError(t *testing.T) {
	var calls atomic.Int64
	bad := errors.New("bad")
	err := Parallel(100, func(i int) error {
		calls.Add(1)
		if i == 70 {
			return bad
		}
		return nil
	})
	if calls.Load() != 100 || !errors.Is(err, bad) {
		t.Errorf("%d of 100 calls, error %v", calls.Load(), err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
