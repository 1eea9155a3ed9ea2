package lab

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// A Session is what a measure runs in: it ends the measure where it can't go
// on, and undoes afterwards what the measure set up. It is a cluster.T.
type Session struct {
	name     string
	progress io.Writer

	mu       sync.Mutex
	reasons  []string
	cleanups []func()
}

// Attempt runs f in a session and then its cleanups, the last one first. The
// error says what f, or a cleanup, ended or failed with.
func Attempt(name string, progress io.Writer, f func(s *Session)) error {
	s := &Session{name: name, progress: progress}
	s.run(func() { f(s) })
	for {
		s.mu.Lock()
		n := len(s.cleanups)
		if n == 0 {
			s.mu.Unlock()
			break
		}
		last := s.cleanups[n-1]
		s.cleanups = s.cleanups[:n-1]
		s.mu.Unlock()
		s.run(last)
	}
	if s.Failed() {
		return fmt.Errorf("%s", strings.Join(s.reasons, "; "))
	}
	return nil
}

// run gives f a goroutine of its own, for Fatalf ends the one it is called on.
func (s *Session) run(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				s.Errorf("panic: %v", p)
			}
		}()
		f()
	}()
	<-done
}

// Helper does nothing: a session names no lines.
func (s *Session) Helper() {}

// Name is the measure's.
func (s *Session) Name() string { return s.name }

// Logf tells the user what goes on.
func (s *Session) Logf(format string, args ...any) {
	fmt.Fprintf(s.progress, s.name+": "+format+"\n", args...)
}

// Errorf makes the measure one that could not be taken.
func (s *Session) Errorf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reasons = append(s.reasons, fmt.Sprintf(format, args...))
}

// Fatalf is Errorf, and ends the goroutine.
func (s *Session) Fatalf(format string, args ...any) {
	s.Errorf(format, args...)
	runtime.Goexit()
}

// Failed says whether Errorf or Fatalf was called.
func (s *Session) Failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.reasons) > 0
}

// Cleanup registers what is to be done at the end.
func (s *Session) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

// Must ends the session with an error that isn't nil.
func (s *Session) Must(err error, what string) {
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

// Parallel calls f with 0 … n-1, some at a time, and gives the first error.
func Parallel(n int, f func(i int) error) error {
	const atATime = 16
	errs := make([]error, n)
	var group sync.WaitGroup
	slots := make(chan struct{}, atATime)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			errs[i] = f(i)
			<-slots
		})
	}
	group.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}
