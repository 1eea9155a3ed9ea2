package nginx

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

// remote is a lab's nginx as another process has it.
func (l *lab) remote(version string) (*Remote, error) {
	l.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(ctx, "1") }()
	l.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			l.t.Error(err)
		}
	})
	return Dial(limit(l.t), l.paths.Dir, version, l.log)
}

func TestRemoteOfAnotherVersion(t *testing.T) {
	_, err := newLab(t).remote("2")
	if err == nil || !strings.Contains(err.Error(), "version 1") {
		t.Errorf("got %v", err)
	}
}

// What nginx says of a configuration reaches the controller as if nginx were its own.
func TestRemoteTellsWhatIsWrong(t *testing.T) {
	l := newLab(t)
	r, err := l.remote("1")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := r.Adopt(limit(t)); found || err != nil {
		t.Errorf("adopted %v, %v", found, err)
	}
	if r.Exited() != nil || r.Lives() {
		t.Error("it has ended before it began, or lives")
	}
	bad := bytes.Replace(l.conf(), []byte("http {"), []byte("http {\nnonsense;"), 1)
	line := bytes.Count(bad[:bytes.Index(bad, []byte("nonsense"))], []byte("\n")) + 1
	refused := func(what string, err error) {
		t.Helper()
		var c *ConfigError
		if !errors.As(err, &c) || c.Line != line || !strings.Contains(c.Message, "nonsense") {
			t.Errorf("%s: got %v, want what is wrong in line %d", what, err, line)
		}
	}
	refused("test", r.Test(limit(t), bad))
	refused("start", r.Start(limit(t), bad, nil))
	if err := r.Start(limit(t), l.conf(), simple(echo(t, "one"))); err != nil {
		t.Fatal(err)
	}
	refused("reload", r.Reload(limit(t), bad))
	if err := r.Reload(limit(t), l.conf()); err != nil {
		t.Error(err)
	}
	if _, body := get(t, newClient(), l.url("/a/")); body != "one" {
		t.Errorf("answer %q", body)
	}
	if found, err := r.Adopt(limit(t)); !found || err != nil {
		t.Errorf("adopted %v, %v", found, err)
	}
	if n := r.Workers().Count; n < 1+l.workers || !r.Lives() {
		t.Errorf("%d processes", n)
	}
	exited := r.Exited()
	if err := l.Quit(limit(t)); err != nil {
		t.Fatal(err)
	}
	await(t, "it notes the end", exited)
	if r.Lives() {
		t.Error("it lives")
	}
}

func TestRemoteTellsThatDataDoesNotFit(t *testing.T) {
	l := newLab(t)
	r, err := l.remote("1")
	if err != nil {
		t.Fatal(err)
	}
	data := simple(echo(t, "one"))
	data["c:big"] = strings.Repeat("x", 9<<20)
	if err := r.Start(limit(t), l.conf(), data); !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want %v", err, ErrFull)
	}
	if r.Exited() == nil {
		t.Error("it runs, and nobody watches it")
	}
}
