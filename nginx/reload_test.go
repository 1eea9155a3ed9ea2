package nginx

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// reloads returns how often the tests of dropped requests reload: few in a
// quick run, as many as SALLYPORT_TEST_RELOADS says in a thorough one.
func reloads(t *testing.T) int {
	text := os.Getenv("SALLYPORT_TEST_RELOADS")
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReloadDropsNoRequest(t *testing.T) {
	type client struct {
		endpoint time.Duration // that a response takes
		idle     time.Duration // between two requests of a connection
		location string
	}
	for name, c := range map[string]client{
		"busy":           {},
		"short pauses":   {idle: 20 * time.Millisecond},
		"longer pauses":  {idle: 110 * time.Millisecond},
		"slow endpoint":  {endpoint: 120 * time.Millisecond},
		"nginx's answer": {location: "return 200 x;"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(c.endpoint)
				fmt.Fprint(w, "x")
			}))
			t.Cleanup(s.Close)
			l := newLab(t)
			l.locationExtra = c.location
			l.start(simple(s.Listener.Addr().String()))
			h := newHammer(t, 32, c.idle, fmt.Sprintf("127.0.0.1:%d", l.http), "/a/")
			h.until(t, 100)
			for i := range reloads(t) {
				l.extra = fmt.Sprintf("# %d", i)
				if err := l.Reload(limit(t), l.conf()); err != nil {
					t.Fatal(err)
				}
			}
			h.until(t, 100)
			h.end()
			h.check(t)
		})
	}
}

func TestReloadReturnsWhenNobodyHasTheOldConfiguration(t *testing.T) {
	l := newLab(t)
	l.start(simple(echo(t, "one")))
	for i := range 10 {
		l.locationExtra = fmt.Sprintf("add_header X-Round %d;", i)
		if err := l.Reload(limit(t), l.conf()); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			resp, err := newClient().Get(l.url("/a/"))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := resp.Header.Get("X-Round"); got != strconv.Itoa(i) {
				t.Fatalf("round %q after reload %d", got, i)
			}
		}
	}
}

func TestReloadOfTheSameFileMakesNewWorkers(t *testing.T) {
	l := newLab(t)
	l.start(simple(echo(t, "one")))
	old := l.serving(l.Pid())
	if err := l.Reload(limit(t), l.conf()); err != nil {
		t.Fatal(err)
	}
	for _, o := range old {
		for _, s := range l.serving(l.Pid()) {
			if s.pid == o.pid {
				t.Errorf("worker %d is still there", s.pid)
			}
		}
	}
}

func TestFailedReloadLeavesAllAsItWas(t *testing.T) {
	taken := newLab(t)
	taken.start(nil)
	l := newLab(t)
	l.start(simple(echo(t, "one")))
	live := l.conf()
	workers := l.serving(l.Pid())
	h := newHammer(t, 4, 0, fmt.Sprintf("127.0.0.1:%d", l.http), "/a/")
	h.until(t, 100)

	check := func(what string, conf []byte, want ConfigError) {
		t.Helper()
		var got *ConfigError
		if err := l.Reload(limit(t), conf); !errors.As(err, &got) {
			t.Fatalf("%s: %v, want a *ConfigError", what, err)
		}
		if want.Line != got.Line || want.Message != got.Message {
			t.Errorf("%s: %d %q, want %d %q", what, got.Line, got.Message, want.Line, want.Message)
		}
		if text, err := os.ReadFile(l.at.Conf); err != nil || string(text) != string(live) {
			t.Errorf("%s: the live file has changed, %v", what, err)
		}
		if leftovers, _ := filepath.Glob(l.at.Dir + "/*.new"); leftovers != nil {
			t.Errorf("%s: %v left behind", what, leftovers)
		}
	}
	check("unknown directive", []byte("daemon off;\n\nnonsense;\n"), ConfigError{3, `unknown directive "nonsense"`})
	check("truncated", live[:len(live)/2], ConfigError{0, ""}.but(t, l, live[:len(live)/2]))
	l.extra = fmt.Sprintf("server { listen 127.0.0.1:%d; }", taken.http)
	check("port in use", l.conf(), ConfigError{0, fmt.Sprintf("bind() to 127.0.0.1:%d failed (98: Address already in use)", taken.http)})
	h.until(t, 100)
	h.end()
	h.check(t)
	if clients := h.dials.Load(); clients != 4 {
		t.Errorf("%d connections: clients were asked to leave", clients)
	}
	pids := func(all []stat) (p []int) {
		for _, s := range all {
			p = append(p, s.pid)
		}
		return p
	}
	if diff := cmp.Diff(pids(workers), pids(l.serving(l.Pid()))); diff != "" {
		t.Errorf("workers: %s", diff)
	}
	l.extra = "# good again"
	if err := l.Reload(limit(t), l.conf()); err != nil {
		t.Errorf("good reload after bad ones: %v", err)
	}
}

// but returns what nginx -t says of a configuration.
func (e ConfigError) but(t *testing.T, l *lab, conf []byte) ConfigError {
	t.Helper()
	var got *ConfigError
	if err := l.Test(limit(t), conf); !errors.As(err, &got) {
		t.Fatalf("test: %v, want a *ConfigError", err)
	}
	return *got
}

func TestTestTouchesNothing(t *testing.T) {
	l := newLab(t)
	l.start(simple(echo(t, "one")))
	before, err := l.Status(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	live := l.conf()
	l.extra = "# another"
	if err := l.Test(limit(t), l.conf()); err != nil {
		t.Errorf("good file: %v", err)
	}
	var refused *ConfigError
	if err := l.Test(limit(t), []byte("events {}\nhttp {\nserver_name x;\n}\n")); !errors.As(err, &refused) || refused.Line != 3 {
		t.Errorf("bad file: %v", err)
	}
	if err := l.Test(limit(t), nil); !errors.As(err, &refused) {
		t.Errorf("empty file: %v", err)
	}
	after, err := l.Status(limit(t))
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("status: %s %v", diff, err)
	}
	if text, err := os.ReadFile(l.at.Conf); err != nil || string(text) != string(live) {
		t.Errorf("the live file has changed, %v", err)
	}
}

func TestGenerationOf(t *testing.T) {
	for conf, want := range map[string]string{
		"": "",
		`init_worker_by_lua_block { sallyport.worker("abc") }`:   "abc",
		`init_worker_by_lua_block { sallyport.worker("a\"bc") }`: "",
		`sallyport.worker()`: "",
	} {
		if got := Generation([]byte(conf)); got != want {
			t.Errorf("%s: %q, want %q", conf, got, want)
		}
	}
}
