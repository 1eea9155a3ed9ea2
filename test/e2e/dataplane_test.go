package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// apart is a controller whose nginx another process runs.
func apart(t *testing.T, w *world, args ...string) (*cluster.Sallyport, *cluster.DataPlane, cluster.Options) {
	t.Helper()
	dir := filepath.Join(shortDir(t), "w")
	d := cluster.LaunchDataPlane(t, dir)
	o := cluster.Options{WorkDir: dir, External: d, Args: args}
	return w.launchWith(t, o), d, o
}

// nginx may be another container's: changes come in as ever, and whichever of the
// two ends, the other goes on, and has it back.
func TestDataPlaneOfAnotherContainer(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 158, "web", "other")
	w.Apply(t, web("web", "a.example.org", "web").String())
	s, d, o := apart(t, w)
	requests(t, s, "http://a.example.org/", "web")
	master := s.Master()

	w.Apply(t, web("late", "b.example.org", "other").String()) // a reload
	becomes(t, s, "http://b.example.org/", "other")
	w.Apply(t, slice("web", "web-1", "10.244.158.2")) // a push
	becomes(t, s, "http://a.example.org/", "other")

	// The controller ends and comes again: nginx does not.
	s.Terminate()
	<-s.Ended()
	requests(t, s, "http://a.example.org/", "other")
	o.Before = s
	s = w.launchWith(t, o)
	if now := s.Master(); now != master {
		t.Errorf("nginx was %d, and is %d", master, now)
	}
	logged(t, s, "applied", "by=adoption")
	w.Apply(t, web("later", "d.example.org", "other").String())
	becomes(t, s, "http://d.example.org/", "other")

	// nginx dies, and is started again.
	if err := syscall.Kill(s.Master(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	becomesMaster := func(other int) {
		t.Helper()
		cluster.Eventually(t, "there is another nginx", func() error {
			if now := s.Master(); now == 0 || now == other {
				return os.ErrNotExist
			}
			return nil
		})
	}
	becomesMaster(master)
	s.Ready(t)
	requests(t, s, "http://d.example.org/", "other")

	// The other container ends with all that is in it, and comes again.
	all := s.Nginx()
	d.Kill()
	for _, p := range all {
		_ = syscall.Kill(p.ID, syscall.SIGKILL) // a worker may have gone after its master
	}
	logged(t, s, "nginx has ended, or who runs it")
	d.Restart(t)
	s.Ready(t)
	requests(t, s, "http://a.example.org/", "other", "http://d.example.org/", "other")

	// It alone ends: its nginx outlives it, and is adopted.
	master = s.Master()
	d.Kill()
	d.Restart(t)
	w.Apply(t, web("last", "e.example.org", "other").String())
	becomes(t, s, "http://e.example.org/", "other")
	if now := s.Master(); now != master {
		t.Errorf("nginx was %d, and is %d", master, now)
	}
}

// What runs nginx holds nothing of the cluster's, and its socket is for our user
// alone.
func TestDataPlaneIsClosed(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 159, "web")
	w.Apply(t, web("web", "a.example.org", "web").String())
	s, d, o := apart(t, w)
	requests(t, s, "http://a.example.org/", "web")
	for path, mode := range map[string]os.FileMode{"private": 0o700 | os.ModeDir, "private/keeper.sock": 0o600 | os.ModeSocket} {
		info, err := os.Stat(filepath.Join(o.WorkDir, path))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), mode)
		}
	}
	d.Terminate()
	<-d.Ended()
	if left := s.Nginx(); len(left) > 0 {
		t.Errorf("it left nginx behind: %v", left)
	}
	cluster.Eventually(t, "it is not ready without nginx", func() error {
		if s.Healthz() == 200 {
			return os.ErrExist
		}
		return nil
	})
	d.Restart(t)
	s.Ready(t)
	requests(t, s, "http://a.example.org/", "web")
	if text := d.Log(); strings.Contains(text, "PRIVATE KEY") {
		t.Error("a key is in its log")
	}
}
