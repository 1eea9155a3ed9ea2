package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// gate is a backend whose responses wait until they are let through.
type gate struct {
	entered chan struct{} // a value for each request that arrived
	open    chan struct{} // closed: responses go out
}

func newGate(t *testing.T, address string) *gate {
	t.Helper()
	g := &gate{entered: make(chan struct{}, 100), open: make(chan struct{})}
	cluster.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.entered <- struct{}{}
		<-g.open
		fmt.Fprint(w, "finished")
	}), address)
	return g
}

// finish lets the responses through and wants the one of each pending request.
func (g *gate) finish(t *testing.T, pending ...<-chan outcome) {
	t.Helper()
	close(g.open)
	for i, p := range pending {
		if o := <-p; o.err != nil || o.response.Body != "finished" {
			t.Errorf("request %d that was in flight: %v, %v", i, o.response, o.err)
		}
	}
}

type outcome struct {
	response cluster.Response
	err      error
}

// begin sends a request and returns once the backend has it.
func (g *gate) begin(s *cluster.Sallyport, url string) <-chan outcome {
	result := make(chan outcome, 1)
	go func() {
		r, err := s.Try(cluster.Request{URL: url})
		result <- outcome{r, err}
	}()
	<-g.entered
	return result
}

// After SIGTERM a load balancer is told at once, new requests are served as
// long as the grace period lasts, and requests in flight are finished.
func TestShutdown(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		g := newGate(t, "10.244.70.1:8080")
		w.Apply(t, service("slow", "10.244.70.1")+app(t, "web", "10.244.70.2"))
		w.Apply(t, ingress{name: "web", rules: []string{rule("Prefix", "a.example.org", "/", "web"), rule("Prefix", "a.example.org", "/slow", "slow")}}.String())
		s := w.launch(t, "--shutdown-grace-period=3")
		pending := g.begin(s, "http://a.example.org/slow")
		s.Terminate()
		cluster.Eventually(t, "/healthz fails", func() error {
			if got := s.Healthz(); got == 200 {
				return fmt.Errorf("it is %d", got)
			}
			return nil
		})
		requests(t, s, "http://a.example.org/", "web") // the grace period has just begun
		cluster.Eventually(t, "new connections are refused", func() error {
			if _, err := s.Try(cluster.Request{URL: "http://a.example.org/"}); err == nil {
				return fmt.Errorf("they are served")
			}
			return nil
		})
		select {
		case <-s.Ended():
			t.Error("the controller ended before the request in flight")
		default:
		}
		g.finish(t, pending)
		<-s.Ended()
		if s.ExitCode() != 0 || len(s.Nginx()) > 0 {
			t.Errorf("ended with status %d and left %v", s.ExitCode(), s.Nginx())
		}
	})
}

// Readiness is told only when everything that was there is live: the first
// request after it is served. (All tests rest on this, this one with more.)
func TestReadyMeansLive(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 71, "web")
		w.Apply(t, cluster.Issue(t, cluster.ECDSA, "*.example.org").SecretYAML("default", "cert"))
		for i := range 150 {
			w.Apply(t, secure(fmt.Sprint("web-", i), fmt.Sprintf("h%d.example.org", i), "cert").String())
		}
		s := w.launchWith(t, cluster.Options{Unready: true})
		if got := s.Healthz(); got == 200 {
			t.Error("it is ready as it starts")
		}
		s.Ready(t)
		for i := range 150 {
			host := fmt.Sprintf("h%d.example.org", i)
			requests(t, s, "https://"+host+"/", "web")
		}
		presents(t, s, "h149.example.org", "*.example.org")
	})
}

func TestNginxIsRestarted(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 72, "web")
		w.Apply(t, cluster.Issue(t, cluster.ECDSA, "a.example.org").SecretYAML("default", "cert"))
		w.Apply(t, secure("web", "a.example.org", "cert").String())
		s := w.launch(t)
		w.Apply(t, slice("web", "web-1")) // data that came by a push
		becomes(t, s, "https://a.example.org/", "503")
		w.Apply(t, slice("web", "web-1", "10.244.72.1"))
		becomes(t, s, "https://a.example.org/", "web")

		old := s.Master()
		workers := s.Workers()
		for _, pid := range append([]int{old}, workers...) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		cluster.Eventually(t, "there is another nginx", func() error {
			if now := s.Master(); now == 0 || now == old {
				return fmt.Errorf("the master is %d, it was %d", now, old)
			}
			if _, err := s.Try(cluster.Request{URL: "https://a.example.org/"}); err != nil {
				return err
			}
			return nil
		})
		for range 8 {
			requests(t, s, "https://a.example.org/", "web")
			presents(t, s, "a.example.org", "a.example.org")
		}
		cluster.Eventually(t, "it is ready again", func() error {
			if got := s.Healthz(); got != 200 {
				return fmt.Errorf("/healthz is %d", got)
			}
			return nil
		})
	})
}

// A controller that is killed takes no traffic with it, and the next one adopts
// the nginx that it finds: there is no hole in service, and no reload.
func TestAKilledControllerComesBack(t *testing.T) {
	for name, workDir := range map[string]bool{"with --work-dir": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			eachSource(t, func(t *testing.T, w *world) {
				apps(t, w, 73, "web", "later")
				w.Apply(t, web("web", "a.example.org", "web").String())
				o := cluster.Options{}
				if workDir {
					o.WorkDir = filepath.Join(shortDir(t), "w")
				}
				first := w.launchWith(t, o)
				load := first.StartLoad(t, "http://a.example.org/", 4)
				load.Pass(t, 100)
				master, workers := first.Master(), first.Workers()
				first.Kill()
				load.Pass(t, 100)
				requests(t, first, "http://a.example.org/", "web")
				w.Apply(t, slice("later", "later-1", "10.244.73.2")) // changes nothing; life goes on

				o.Before = first
				second := w.launchWith(t, o)
				load.Pass(t, 100)
				if got := second.Master(); got != master {
					t.Errorf("the master was %d, now it is %d: not adopted", master, got)
				}
				if got := second.Workers(); !slices.Equal(got, workers) {
					t.Errorf("workers were %v, now they are %v: nothing had changed", workers, got)
				}
				w.Apply(t, web("later", "b.example.org", "later").String())
				becomes(t, second, "http://b.example.org/", "later")
				load.Pass(t, 100)
				n, failures := load.Stop()
				if len(failures) > 0 {
					t.Errorf("%d of %d requests failed, such as: %s", len(failures), n, failures[0])
				}
			})
		})
	}
}

// What changed while nobody watched is applied by the next controller.
func TestChangesWhileTheControllerWasAway(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 74, "web", "other")
		w.Apply(t, web("web", "a.example.org", "web").String()+web("gone", "gone.example.org", "web").String())
		first := w.launch(t)
		first.Kill()
		w.Apply(t, slice("web", "web-1", "10.244.74.2")+web("new", "new.example.org", "other").String())
		w.Delete(t, "Ingress", "default", "gone")
		second := w.launchWith(t, cluster.Options{Before: first})
		requests(t, second, "http://a.example.org/", "other", "http://new.example.org/", "other", "http://gone.example.org/", "404")
	})
}

// A controller that doesn't know the nginx in its way says so and ends.
func TestPortsThatAreTaken(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 75, "web")
	w.Apply(t, web("web", "a.example.org", "web").String())
	first := w.launch(t)
	second := w.launchWith(t, cluster.Options{Unready: true, Args: []string{fmt.Sprintf("--http-port=%d", first.HTTP)}})
	logged(t, second, fmt.Sprint(first.HTTP))
	requests(t, first, "http://a.example.org/", "web")
	second.Terminate()
	<-second.Ended()
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "w")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}
