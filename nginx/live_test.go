package nginx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// slow answers when it is told to.
func slow(t *testing.T) (addr string, entered, release chan struct{}) {
	entered, release = make(chan struct{}, 10), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("slow") {
			entered <- struct{}{}
			<-release
		}
		fmt.Fprint(w, "served")
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), entered, release
}

// begin sends a request that the endpoint holds, and returns its answer.
func begin(t *testing.T, l *lab, entered chan struct{}) <-chan string {
	answer := make(chan string, 1)
	go func() {
		resp, err := newClient().Get(l.url("/a/?slow"))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		answer <- fmt.Sprint(resp.StatusCode, " ", string(body), " ", err)
	}()
	select {
	case <-entered:
	case <-limit(t).Done():
		t.Fatal("the request does not reach its endpoint")
	}
	return answer
}

func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-limit(t).Done():
		t.Fatalf("%s: in vain", what)
	}
}

func TestKilledMasterIsReplacedWhileItsWorkersFinish(t *testing.T) {
	for _, reuseport := range []bool{false, true} {
		t.Run(fmt.Sprint("reuseport ", reuseport), func(t *testing.T) {
			l := newLab(t)
			l.reuseport = reuseport
			addr, entered, release := slow(t)
			l.start(simple(addr))
			answer := begin(t, l, entered)
			first := l.Pid()
			if err := unix.Kill(first, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			await(t, "Exited", l.Exited())
			if l.Pid() != 0 {
				t.Errorf("pid %d after the end", l.Pid())
			}
			if status, _ := get(t, newClient(), l.url("/a/")); status != 200 {
				t.Errorf("orphans answer %d", status)
			}
			l.start(simple(echo(t, "new")))
			for range 20 {
				if _, body := get(t, newClient(), l.url("/a/")); body != "new" {
					t.Fatalf("answer %q after the new start", body)
				}
			}
			if s, err := l.Status(limit(t)); err != nil || s.Workers != 2 {
				t.Errorf("status %+v %v", s, err)
			}
			close(release)
			if got := <-answer; got != "200 served <nil>" {
				t.Errorf("request that was under way: %s", got)
			}
			if err := until(limit(t), func() (bool, error) { return len(session(first)) == 0, nil }); err != nil {
				t.Errorf("orphans have not gone: %v", err)
			}
		})
	}
}

func TestStartFailsInNginxsWords(t *testing.T) {
	taken := newLab(t)
	taken.start(nil)
	l := newLab(t)
	own := l.http
	l.http = taken.http
	err := l.Start(limit(t), l.conf(), nil)
	if err == nil || !strings.Contains(err.Error(), "failed (98: Address already in use)") {
		t.Errorf("port in use: %v", err)
	}
	if l.Pid() != 0 {
		t.Error("something runs")
	}
	var refused *ConfigError
	if err := l.Start(limit(t), []byte("events {}\nnonsense;"), nil); !errors.As(err, &refused) || refused.Line != 2 {
		t.Errorf("bad file: %v", err)
	}
	if _, err := os.Stat(l.at.data); err == nil {
		t.Error("the data file is left behind")
	}
	l.http = own
	l.start(nil)
	if err := l.Start(limit(t), l.conf(), nil); err == nil {
		t.Error("started twice")
	}
}

func TestAdopt(t *testing.T) {
	l := newLab(t)
	if ok, err := l.Adopt(limit(t)); ok || err != nil {
		t.Errorf("adopted nothing: %v %v", ok, err)
	}
	l.start(simple(echo(t, "one")))
	if _, err := New(Options{Dir: l.at.Dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second controller: %v, want ErrLocked", err)
	}
	pid := l.Pid()
	h := newHammer(t, 4, 0, fmt.Sprintf("127.0.0.1:%d", l.http), "/a/")
	h.until(t, 100)
	if err := l.Close(); err != nil { // as if the controller had died
		t.Fatal(err)
	}

	next := labIn(t, l.at.Dir)
	next.site = l.site
	if ok, err := next.Adopt(limit(t)); !ok || err != nil {
		t.Fatalf("not adopted: %v %v", ok, err)
	}
	if next.Pid() != pid {
		t.Errorf("pid %d, want %d", next.Pid(), pid)
	}
	next.push(simple(echo(t, "two")))
	next.extra = "# changed"
	if err := next.Reload(limit(t), next.conf()); err != nil {
		t.Errorf("reload: %v", err)
	}
	h.until(t, 100)
	h.end()
	h.check(t)
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "Exited", next.Exited())
	next.start(simple(echo(t, "three")))
	if _, body := get(t, newClient(), next.url("/a/")); body != "three" {
		t.Errorf("answer %q", body)
	}
}

func TestAdoptNothingThatIsNotOurs(t *testing.T) {
	l := newLab(t)
	other := newLab(t)
	other.start(nil)
	sleep := exec.Command("sleep", "60")
	sleep.Args[0] = "nginx: master process nginx -c " + l.at.Conf
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleep.Process.Kill(); _ = sleep.Wait() }()
	for what, text := range map[string]string{
		"empty":                    "",
		"no number":                "abc",
		"negative":                 "-1",
		"init":                     "1",
		"gone":                     "4194304",
		"this process":             fmt.Sprint(os.Getpid()),
		"another's nginx":          fmt.Sprint(other.Pid()),
		"not leader of a session":  fmt.Sprint(sleep.Process.Pid),
		"so large it is no number": "99999999999999999999",
	} {
		if err := os.WriteFile(l.at.Pid, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if ok, err := l.Adopt(limit(t)); ok || err != nil {
			t.Errorf("%s: adopted: %v %v", what, ok, err)
		}
	}
}

func TestQuitFinishesRequests(t *testing.T) {
	l := newLab(t)
	addr, entered, release := slow(t)
	l.start(simple(addr))
	pid := l.Pid()
	answer := begin(t, l, entered)
	done := make(chan error, 1)
	go func() { done <- l.Quit(limit(t)) }()
	if err := until(limit(t), func() (bool, error) { return len(l.serving(pid)) == 0, nil }); err != nil {
		t.Fatal(err)
	}
	close(release)
	if got := <-answer; got != "200 served <nil>" {
		t.Errorf("request that was under way: %s", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if left := session(pid); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

func TestQuitCutsOffWhatDoesNotEnd(t *testing.T) {
	l := newLab(t)
	addr, entered, release := slow(t)
	defer close(release)
	l.start(simple(addr))
	pid := l.Pid()
	begin(t, l, entered)
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil { // nor does it hear SIGTERM
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Quit(ctx); err == nil {
		t.Error("no error")
	}
	await(t, "Exited", l.Exited())
	if left := session(pid); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	if err := l.Quit(limit(t)); err != nil {
		t.Errorf("second quit: %v", err)
	}
}

func TestFreshDir(t *testing.T) {
	parent, err := os.MkdirTemp("", "nginx-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(parent) })
	t.Setenv("TMPDIR", parent)
	never := func(Paths) bool { return false }
	always := func(Paths) bool { return true }
	fresh := func(match func(Paths) bool) string {
		t.Helper()
		dir, err := FreshDir(match)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	foreign := filepath.Join(parent, "sallyport-foreign")
	if err := os.MkdirAll(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	unused := fresh(always)
	l := labIn(t, fresh(always))
	l.start(simple(echo(t, "one")))
	if dir := fresh(always); dir == l.at.Dir || dir == unused {
		t.Errorf("folder of a living controller, or that one may be about to use: %s", dir)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if dir := fresh(never); dir == l.at.Dir {
		t.Error("folder that does not match")
	}
	if dir := fresh(always); dir != l.at.Dir {
		t.Errorf("folder %s, want that of the orphan, %s", dir, l.at.Dir)
	}
	next := labIn(t, l.at.Dir)
	if ok, err := next.Adopt(limit(t)); !ok || err != nil {
		t.Fatalf("not adopted: %v %v", ok, err)
	}
	pid := next.Pid()
	if err := next.Close(); err != nil { // the controller dies, then nginx
		t.Fatal(err)
	}
	if err := unix.Kill(-pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "Exited", next.Exited())
	if err := until(limit(t), func() (bool, error) { return len(session(pid)) == 0, nil }); err != nil {
		t.Fatal(err)
	}
	fresh(always)
	if _, err := os.Stat(l.at.Dir); err == nil {
		t.Error("the dead folder is still there")
	}
	for _, dir := range []string{foreign, unused} {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("%s was not ours to remove: %v", dir, err)
		}
	}
}

func TestFolder(t *testing.T) {
	if _, err := New(Options{Dir: "relative"}); err == nil {
		t.Error("relative folder")
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 200))
	if _, err := New(Options{Dir: long}); err == nil || !strings.Contains(err.Error(), "too long for a unix socket") {
		t.Errorf("long folder: %v", err)
	}
	if _, err := New(Options{Dir: "/dev/null/x"}); err == nil {
		t.Error("folder below a file")
	}
}
