package nginx

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTwoAtOnce(t *testing.T) {
	one, two := newLab(t), newLab(t)
	one.start(simple(echo(t, "one")))
	two.start(simple(echo(t, "two")))
	for range 3 {
		for l, want := range map[*lab]string{one: "one", two: "two"} {
			if _, body := get(t, newClient(), l.url("/a/")); body != want {
				t.Errorf("answer %q, want %q", body, want)
			}
			if err := l.Reload(limit(t), l.conf()); err != nil {
				t.Error(err)
			}
		}
	}
	if err := one.Quit(limit(t)); err != nil {
		t.Error(err)
	}
	if _, body := get(t, newClient(), two.url("/a/")); body != "two" {
		t.Errorf("after the end of the first, the second answers %q", body)
	}
}

// TestAsNobody runs the other tests of this package once more, without root.
func TestAsNobody(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the whole run is without root already")
	}
	if testing.Short() {
		t.Skip("-short: it runs this package's tests a second time")
	}
	dir, err := os.MkdirTemp("", "nginx-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	const nobody = 65534
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "test")
	if err := os.WriteFile(binary, self, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-test.v",
		"-test.run=StartHolds|NoEndpoint|ReloadReturns|FailedReload|KilledMaster|Adopt|Quit|Rotates|Counted|Workers|Fresh")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "no tests to run") || strings.Contains(string(out), "--- SKIP") {
		t.Errorf("tests were not run:\n%s", out)
	}
}

func TestOnlyTheControllersUserReachesTheControlSocket(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	l := newLab(t)
	l.start(simple(echo(t, "one")))
	for _, name := range []string{l.at.Control, l.at.Conf, l.at.Dir} {
		cmd := exec.Command("test", "-r", name)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if err := cmd.Run(); err == nil {
			t.Errorf("nobody can read %s", name)
		}
	}
	// Temporary files are the workers' own.
	l.locationExtra = "client_body_buffer_size 1k;"
	if err := l.Reload(limit(t), l.conf()); err != nil {
		t.Fatal(err)
	}
	resp, err := newClient().Post(l.url("/a/"), "text/plain", strings.NewReader(strings.Repeat("x", 1<<19)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("body in a temporary file: status %d", resp.StatusCode)
	}
}

func TestHTTP2HasNoConnectionHeader(t *testing.T) {
	l := secure(t)
	l.extra = "http2_max_concurrent_streams 128;"
	l.start(simple(echo(t, "one")))
	old := fmt.Sprintf("listen 127.0.0.1:%d ssl", l.https)
	conf := func() []byte { return []byte(strings.Replace(string(l.conf()), old, old+" http2", 1)) }
	if err := l.Reload(limit(t), conf()); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{ForceAttemptHTTP2: true}
	transport.TLSClientConfig = insecure()
	client := &http.Client{Transport: transport}
	done := make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for {
			select {
			case <-done:
				return
			default:
			}
			resp, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d/a/", l.https))
			if err != nil {
				failed <- err
				return
			}
			resp.Body.Close()
			if resp.ProtoMajor != 2 || resp.Header.Get("Connection") != "" {
				failed <- fmt.Errorf("%s with Connection: %q", resp.Proto, resp.Header.Get("Connection"))
				return
			}
		}
	}()
	for i := range 5 {
		l.extra = fmt.Sprintf("# %d", i)
		if err := l.Reload(limit(t), conf()); err != nil {
			t.Error(err)
		}
	}
	close(done)
	if err := <-failed; err != nil {
		t.Error(err)
	}
}
