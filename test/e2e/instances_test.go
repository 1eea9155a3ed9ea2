package e2e

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// Several run on one machine at once, on different ports, and end apart.
func TestSeveralAtOnce(t *testing.T) {
	one, two := inFolder(t), inFolder(t)
	apps(t, one, 97, "web", "other")
	one.Apply(t, web("web", "a.example.org", "web").String())
	two.Apply(t, service("other", "10.244.97.2")+web("web", "a.example.org", "other").String())
	first, second := one.launch(t), two.launch(t)
	requests(t, first, "http://a.example.org/", "web")
	requests(t, second, "http://a.example.org/", "other")
	first.Stop(t)
	requests(t, second, "http://a.example.org/", "other")
	if len(second.Nginx()) == 0 {
		t.Error("the second one's nginx isn't seen: this test sees nothing")
	}
}

// Who isn't root runs it on ports that anybody may take.
func TestWithoutRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("these tests run without root: each of them is this one")
		return
	}
	w := inFolder(t)
	apps(t, w, 98, "web")
	w.Apply(t, cluster.Issue(t, cluster.ECDSA, "a.example.org").SecretYAML("default", "cert"))
	w.Apply(t, secure("web", "a.example.org", "cert").String())
	readable(t, w.source.(*folder).dir)
	s := w.launchWith(t, cluster.Options{User: 65534})
	requests(t, s, "https://a.example.org/", "web", "http://a.example.org/", "308 https://a.example.org")
	presents(t, s, "a.example.org", "a.example.org")
	r := s.Do(t, cluster.Request{Method: "POST", URL: "https://a.example.org/", Body: strings.Repeat("x", 500<<10)})
	if r.Seen == nil || r.Seen.Body != 500<<10 {
		t.Errorf("a body that is kept in a file: %s", r)
	}
	w.Apply(t, slice("web", "web-1"))
	becomes(t, s, "https://a.example.org/", "503")
}

// readable lets other users read a folder, and pass through those above.
func readable(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{dir, parent(dir), parent(parent(dir))} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func parent(dir string) string { return dir[:strings.LastIndex(dir, "/")] }

// Nothing but the ports that were asked for listens on the network, and the
// control socket is the controller's alone.
func TestNothingElseListens(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 99, "web")
	w.Apply(t, web("web", "a.example.org", "web").String())
	before := listeners(t)
	s := w.launch(t, "--enable-metrics")
	known := map[int]bool{s.HTTP: true, s.HTTPS: true, s.Health: true, s.Default: true}
	for port := range listeners(t) {
		if !before[port] && !known[port] {
			t.Errorf("port %d is listened on, and nobody asked for it", port)
		}
	}
	found := 0
	walk(t, s.Temp, func(path string, info fs.FileInfo) {
		if strings.HasSuffix(path, "control.sock") {
			found++
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v, want 0600", path, info.Mode())
			}
		}
		if info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSymlink == 0 && !strings.HasSuffix(path, "unavailable.sock") {
			t.Errorf("%s has mode %v: others may write", path, info.Mode())
		}
	})
	if found != 1 {
		t.Errorf("there are %d control sockets, want 1", found)
	}
}

// A command line that asks for the impossible ends at once, with status 2.
func TestWrongCommandLines(t *testing.T) {
	w := inFolder(t)
	for _, args := range [][]string{
		{"--no-such-flag"}, {"--http-port=0"}, {"--http-port=70000"}, {"--configmap=nonsense"}, {"--watch-namespace=a", "--watch-namespace-selector=b=c"},
		{"--publish-service=a/b", "--publish-status-address=1.2.3.4"}, {"--kubeconfig=/nowhere"}, {"argument"},
	} {
		s := w.launchWith(t, cluster.Options{Args: args, Unready: true})
		<-s.Ended()
		if s.ExitCode() != 2 || strings.TrimSpace(s.Log()) == "" {
			t.Errorf("%v: ended with %d and said %q, want 2 and a reason", args, s.ExitCode(), s.Log())
		}
	}
}

// A source that can't be read is a reason to end, with a reason.
func TestSourcesThatAreMissing(t *testing.T) {
	w := inFolder(t)
	s := w.launchWith(t, cluster.Options{Args: []string{"--manifests=/nowhere"}, Unready: true})
	<-s.Ended()
	if s.ExitCode() != 1 || lines(s.Log(), "/nowhere") == 0 {
		t.Errorf("ended with %d and said %q", s.ExitCode(), s.Log())
	}
}

// Ctrl-C ends it as SIGTERM does.
func TestInterrupt(t *testing.T) {
	w := inFolder(t)
	s := w.launch(t)
	s.Signal(syscall.SIGINT)
	<-s.Ended()
	if s.ExitCode() != 0 || len(s.Nginx()) > 0 {
		t.Errorf("ended with %d and left %v", s.ExitCode(), s.Nginx())
	}
}

// Metrics go by ingress-nginx's names.
func TestMetrics(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 100, "web")
		w.Apply(t, web("web", "a.example.org", "web").String())
		s := w.launch(t, "--enable-metrics")
		for range 7 {
			requests(t, s, "http://a.example.org/x", "web")
		}
		for _, want := range [][]string{
			{"nginx_ingress_controller_requests{", `ingress="web"`, `service="web"`, `status="200"`, `path="/"`, `method="GET"`, `host="a.example.org"`, "} 7"},
			{"nginx_ingress_controller_request_duration_seconds_count{", "} 7"},
			{"nginx_ingress_controller_config_last_reload_successful{", "} 1"},
			{"nginx_ingress_controller_nginx_process_requests_total"},
			{"nginx_ingress_controller_build_info{"},
		} {
			// A worker gives its counts away each second.
			cluster.Eventually(t, fmt.Sprintf("/metrics has a line with %q", want), func() error {
				if text := scrape(t, s); lines(text, want...) == 0 {
					return fmt.Errorf("it has\n%s", grep(text, want[0]))
				}
				return nil
			})
		}
	})
}

// grep gives the lines with a word.
func grep(text, word string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func scrape(t *testing.T, s *cluster.Sallyport) string {
	t.Helper()
	r := (&cluster.Sallyport{HTTP: s.Health}).Get(t, "http://x/metrics")
	if r.Status != http.StatusOK {
		t.Fatalf("/metrics: %s", r)
	}
	return r.Body
}

// listeners are the TCP ports on which somebody accepts connections.
func listeners(t *testing.T) map[int]bool {
	t.Helper()
	ports := map[int]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 4 || f[3] != "0A" { // LISTEN
				continue
			}
			_, hex, _ := strings.Cut(f[1], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			ports[int(port)] = true
		}
	}
	return ports
}

func walk(t *testing.T, dir string, visit func(path string, info fs.FileInfo)) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, info fs.FileInfo, err error) error {
		if err == nil {
			visit(path, info)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
