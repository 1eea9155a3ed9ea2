package nginx

import (
	"errors"
	"strings"
	"testing"
)

// A controller that ends before it has adopted a living nginx leaves it all
// that it needs, and the next one finds it.
func TestCloseBeforeAdopt(t *testing.T) {
	l := newLab(t)
	l.start(simple(echo(t, "one")))
	pid := l.Pid()
	if err := l.Close(); err != nil { // as if the controller had died
		t.Fatal(err)
	}
	if err := labIn(t, l.at.Dir).Close(); err != nil {
		t.Fatal(err)
	}
	next := labIn(t, l.at.Dir)
	next.site = l.site
	if ok, err := next.Adopt(limit(t)); !ok || err != nil || next.Pid() != pid {
		t.Fatalf("adopted %v, %v, pid %d; want %d", ok, err, next.Pid(), pid)
	}
	if err := next.Quit(limit(t)); err != nil {
		t.Error(err)
	}
}

// An item that doesn't fit holds up no other of its push, and is named.
func TestPushPastWhatDoesNotFit(t *testing.T) {
	l := newLab(t)
	l.start(simple(echo(t, "one")))
	err := l.Push(limit(t), map[string]string{"b:before": "{}", "c:huge": strings.Repeat("x", 64<<20), "r:after": "{}"}, []string{"b:a"})
	var full *FullError
	if !errors.As(err, &full) || len(full.Keys) != 1 || full.Keys[0] != "c:huge" || !errors.Is(err, ErrFull) {
		t.Fatalf("push: %v", err)
	}
	has, err := l.Digests(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	if has["b:before"] == "" || has["r:after"] == "" || has["c:huge"] != "" || has["b:a"] != "" {
		t.Errorf("nginx holds %v", has)
	}
}
