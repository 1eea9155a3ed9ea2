package l4

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/test/cluster"
	"github.com/sallyport-ingress/sallyport/test/l4/lab"
)

// A proxier is a running sallyport-proxier in a namespace.
type proxier struct {
	at   *lab.Namespace
	mode mode
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// launch starts the binary and waits until it says that it is healthy. It is
// ended with the test, and its log is shown where the test failed.
func launch(t *testing.T, at *lab.Namespace, m mode, args ...string) *proxier {
	t.Helper()
	p := start(t, at, m, args...)
	p.ready(t)
	return p
}

func start(t *testing.T, at *lab.Namespace, m mode, args ...string) *proxier {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "proxier-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := &proxier{at: at, mode: m, log: f.Name(), done: make(chan struct{})}
	p.cmd = command(append([]string{"--proxy-mode=" + string(m), "--hostname-override=n1"}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = f, f
	if err := at.Do(p.cmd.Start); err != nil {
		t.Fatalf("sallyport-proxier: %v", err)
	}
	go func() {
		_ = p.cmd.Wait() // its result is in ProcessState
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("sallyport-proxier's log (%s):\n%s", strings.Join(args, " "), tail(p.text(), 40))
		}
	})
	return p
}

// command gives the binary with legacy iptables, whose rules the tests can tell
// from those of nftables, and a lock of its own for them: the machine's is
// shared by all namespaces.
func command(args ...string) *exec.Cmd {
	c := exec.Command(os.Getenv(binaryVariable), args...)
	c.Env = append(os.Environ(), "XTABLES_LOCKFILE="+filepath.Join(os.TempDir(), "xtables.lock"))
	if dir, err := legacy(); err == nil {
		c.Env = append(c.Env, "PATH="+dir+":"+os.Getenv("PATH"))
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return c
}

// legacy gives a folder in which iptables is the legacy one.
var legacy = sync.OnceValues(func() (string, error) {
	multi, err := exec.LookPath("xtables-legacy-multi")
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "legacy-")
	if err != nil {
		return "", err
	}
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, verb := range []string{"", "-save", "-restore"} {
			if err := os.Symlink(multi, filepath.Join(dir, family+verb)); err != nil {
				return "", err
			}
		}
	}
	return dir, nil
})

// ready waits until /healthz answers 200.
func (p *proxier) ready(t *testing.T) {
	t.Helper()
	cluster.Eventually(t, "sallyport-proxier: ready", func() error {
		if p.ended() {
			t.Fatalf("sallyport-proxier: %v before it was ready\n%s", p.cmd.ProcessState, tail(p.text(), 30))
		}
		status, body, err := get(p.at, "http://127.0.0.1:10256/healthz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("/healthz answers %d: %s", status, body)
		}
		return err
	})
}

// get asks for a URL from a namespace, once.
func get(from *lab.Namespace, url string) (status int, body string, err error) {
	r, body, err := request(from, url)
	if err != nil {
		return 0, "", err
	}
	return r.StatusCode, body, nil
}

func request(from *lab.Namespace, url string) (*http.Response, string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (c net.Conn, err error) {
		err = from.Do(func() error {
			c, err = (&net.Dialer{}).DialContext(ctx, network, address)
			return err
		})
		return c, err
	}}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, "", err
	}
	r, err := transport.RoundTrip(q)
	if err != nil {
		return nil, "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return r, string(text), err
}

// metrics are the samples of /metrics, by name with labels.
func (p *proxier) metrics() (map[string]float64, error) {
	status, body, err := get(p.at, "http://127.0.0.1:10249/metrics")
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("/metrics: %d, %w", status, err)
	}
	all := map[string]float64{}
	for _, line := range strings.Split(body, "\n") {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			if v, err := strconv.ParseFloat(line[i+1:], 64); err == nil {
				all[line[:i]] = v
			}
		}
	}
	return all, nil
}

func (p *proxier) text() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (p *proxier) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop ends it as a kubelet does. It is an error if it does not end with 0.
func (p *proxier) stop(t *testing.T) {
	t.Helper()
	if p.ended() {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	p.awaitEnd(t)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("sallyport-proxier: ended with %v after SIGTERM, want status 0", p.cmd.ProcessState)
	}
}

// awaitEnd waits until it has ended; if it never does, what its goroutines wait
// for is in its log.
func (p *proxier) awaitEnd(t *testing.T) {
	t.Helper()
	end := time.NewTimer(10 * patience)
	defer end.Stop()
	select {
	case <-p.done:
	case <-end.C:
		_ = p.cmd.Process.Signal(syscall.SIGABRT)
		<-p.done
		t.Fatalf("sallyport-proxier: did not end %v after it was told to", 10*patience)
	}
}

// kill ends it at once.
func (p *proxier) kill() {
	if !p.ended() {
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// toEnd runs the binary to its end and gives its status and what it said on
// standard output and standard error.
func toEnd(t *testing.T, at *lab.Namespace, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	c := command(args...)
	var out, bad bytes.Buffer
	c.Stdout, c.Stderr = &out, &bad
	if err := at.Do(c.Run); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String(), bad.String()
}

func tail(text string, lines int) string {
	all := strings.SplitAfter(text, "\n")
	if cut := len(all) - lines; cut > 0 {
		return fmt.Sprintf("(%d lines before)\n%s", cut, strings.Join(all[cut:], ""))
	}
	return text
}
