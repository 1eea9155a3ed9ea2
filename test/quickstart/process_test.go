package quickstart

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A quickstart is a run of the script, on free ports, with a copy of its
// manifests and a folder for temporary files of its own.
type quickstart struct {
	binary, manifests, temp    string
	http, https, healthz, none string // ports
	echoes                     string

	command *exec.Cmd
	ended   chan error
	log     log
}

// A log is what the script and all that it starts have printed.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (q *quickstart) output() string {
	q.log.mu.Lock()
	defer q.log.mu.Unlock()
	return q.log.text.String()
}

func start(t *testing.T) *quickstart {
	t.Helper()
	q := prepare(t)
	q.run(t)
	return q
}

func prepare(t *testing.T) *quickstart {
	t.Helper()
	q := &quickstart{binary: compile(t), manifests: t.TempDir(), temp: t.TempDir()}
	ports := freePorts(t, 5)
	q.http, q.https, q.healthz, q.none = ports[0], ports[1], ports[2], ports[3]
	q.echoes = fmt.Sprintf("127.0.0.1:%[1]s,127.0.0.2:%[1]s,127.0.0.3:%[1]s", ports[4])
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		moved := strings.ReplaceAll(string(text), "9301", ports[4])
		if err := os.WriteFile(filepath.Join(q.manifests, f), []byte(moved), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

func compile(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "sallyport")
	out, err := exec.Command("go", "build", "-o", binary, "../../cmd/sallyport").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// freePorts finds ports that are free on the three addresses of the replicas.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var ports []string
	for range n {
		l := listen(t, "127.0.0.1:0")
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		for _, host := range []string{"127.0.0.2", "127.0.0.3"} {
			defer listen(t, net.JoinHostPort(host, port)).Close()
		}
		ports = append(ports, port)
	}
	return ports
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// run starts the script as a shell starts a job: in a process group of its own.
func (q *quickstart) run(t *testing.T) {
	t.Helper()
	q.command = exec.Command("./run")
	q.command.Env = append(os.Environ(), "SALLYPORT="+q.binary, "MANIFESTS="+q.manifests, "TMPDIR="+q.temp,
		"HTTP_PORT="+q.http, "HTTPS_PORT="+q.https, "HEALTHZ_PORT="+q.healthz, "DEFAULT_SERVER_PORT="+q.none,
		"ECHO_LISTEN="+q.echoes)
	q.command.Stdout, q.command.Stderr = &q.log, &q.log
	q.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// Wait fails where a process outlives the script and keeps its output
	// open. That finds workers of nginx, which wipe their own environment.
	q.command.WaitDelay = 5 * time.Second
	if err := q.command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func(c *exec.Cmd) {
		ended <- c.Wait()
		close(ended)
	}(q.command)
	q.ended = ended
	t.Cleanup(func() {
		q.kill()
		<-ended
		if t.Failed() {
			t.Logf("the script printed:\n%s", q.output())
		}
	})
}

// ready waits for the lines that say what to try.
func (q *quickstart) ready(t *testing.T) {
	t.Helper()
	eventually(t, "Sallyport is ready", func() bool {
		select {
		case err := <-q.ended:
			t.Fatalf("the script ended: %v\n%s", err, q.output())
		default:
		}
		return strings.Contains(q.output(), "curl http://hello.localhost:"+q.http+"/")
	})
}

// interrupt does what Ctrl-C does, and wants a clean end.
func (q *quickstart) interrupt(t *testing.T) {
	t.Helper()
	select {
	case err := <-q.ended:
		t.Fatalf("ended before it was told to: %v", err)
	default:
		q.kill()
	}
	if err := <-q.ended; err != nil {
		t.Errorf("ends with %v, want status 0", err)
	}
	q.log.mu.Lock()
	defer q.log.mu.Unlock()
	q.log.text.Reset()
}

// kill interrupts the script's process group, unless it has ended.
func (q *quickstart) kill() {
	select {
	case <-q.ended:
	default:
		_ = syscall.Kill(-q.command.Process.Pid, syscall.SIGINT) // ended meanwhile: as good
	}
}

// nothingLeft looks for processes that this run has started, which all have
// its folder in their environment, for listeners, and for files.
func (q *quickstart) nothingLeft(t *testing.T) {
	t.Helper()
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil || len(environments) == 0 {
		t.Fatalf("no processes to see: %v", err)
	}
	for _, e := range environments {
		text, err := os.ReadFile(e)
		if err != nil {
			continue // it has ended, or is another user's
		}
		if strings.Contains(string(text), "TMPDIR="+q.temp) {
			name, _ := os.ReadFile(filepath.Join(filepath.Dir(e), "cmdline"))
			t.Errorf("left behind: process %s: %q", filepath.Base(filepath.Dir(e)), name)
		}
	}
	for _, port := range []string{q.http, q.https, q.healthz, q.none} {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			t.Errorf("left behind: something listens on port %s", port)
		}
	}
	files, err := os.ReadDir(q.temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Errorf("left behind: %s", f.Name())
	}
}

// edit replaces text in a manifest as an editor does: a new file, renamed.
func (q *quickstart) edit(t *testing.T, name, from, to string) {
	t.Helper()
	path := filepath.Join(q.manifests, name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), from) {
		t.Fatalf("%s has no %q", name, from)
	}
	edited := strings.Replace(string(text), from, to, 1)
	if err := os.WriteFile(path+"~", []byte(edited), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

// dial takes the ports 80 and 443 to those of this run.
func (q *quickstart) dial(ctx context.Context, network, address string) (net.Conn, error) {
	port := q.http
	if strings.HasSuffix(address, ":443") {
		port = q.https
	}
	return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}

// eventually waits for a change to take effect, as long as the test may run.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(time.Minute)
	for !holds() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("never came true: %s", what)
		}
	}
}
