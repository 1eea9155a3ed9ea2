package main

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
		end  func(s *session)
		want string
	}{
		{"returns", func(*session) {}, ""},
		{"is ended", func(s *session) { s.Fatalf("no %s", "nginx") }, "no nginx"},
		{"fails and goes on", func(s *session) { s.Errorf("one"); s.Errorf("two") }, "one; two"},
		{"panics", func(*session) { panic("oops") }, "panic: oops"},
	} {
		var order []string
		err := attempt(c.name, io.Discard, func(s *session) {
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
	err := attempt("x", io.Discard, func(s *session) {
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
	err := parallel(100, func(i int) error {
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
