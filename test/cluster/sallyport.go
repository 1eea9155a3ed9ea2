package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// Options say how a Sallyport is started.
type Options struct {
	Args []string // beside the ports, which it gets in any case
	Env  []string
	// WorkDir is what --work-dir is set to. "": the flag is not given, and the
	// product chooses.
	WorkDir string
	// Before is a Sallyport whose ports and temporary folder this one takes on,
	// as a container that is started again does.
	Before *Sallyport
	// Beside is a Sallyport whose ports this one shares, with a folder of its own.
	Beside *Sallyport
	// Confined, where not nil, is how it is started, in the place of User.
	Confined *Confinement
	// HTTP and HTTPS are its ports, where they are not to be any free ones.
	HTTP, HTTPS int
	// User, where not 0, is the user and group to run as; that takes root.
	User uint32
	// External: nginx is that one's; WorkDir is its folder.
	External *DataPlane
	// Unready: don't wait until it is ready.
	Unready bool
}

// A Sallyport is a running controller with the nginx that it started.
type Sallyport struct {
	HTTP, HTTPS, Health, Default int    // ports
	Temp                         string // its TMPDIR
	WorkDir                      string // "" if the product chose

	process  *process
	external *DataPlane
	sessions map[int]bool // of the nginx masters that were seen
}

// Launch starts the binary and waits until it says that it is ready. When the
// test ends it is stopped as Stop does, and its log is shown if the test failed.
func Launch(t T, o Options) *Sallyport {
	t.Helper()
	if why := os.Getenv(brokenVariable); why != "" {
		t.Fatalf("there is no sallyport to test: %s", why)
	}
	s, err := newSallyport(o)
	if err == nil {
		err = s.start(o)
	}
	if err != nil {
		t.Fatalf("sallyport: %v", err)
	}
	t.Cleanup(func() {
		s.Stop(t)
		if t.Failed() {
			t.Logf("sallyport's log:\n%s\nits access log:\n%s", tail(s.Log(), 60), tail(s.AccessLog(), 8))
		}
	})
	if !o.Unready {
		s.Ready(t)
	}
	return s
}

func newSallyport(o Options) (*Sallyport, error) {
	s := &Sallyport{WorkDir: o.WorkDir, external: o.External, sessions: map[int]bool{}}
	if b := o.Before; b != nil {
		s.HTTP, s.HTTPS, s.Health, s.Default, s.Temp, s.sessions = b.HTTP, b.HTTPS, b.Health, b.Default, b.Temp, b.sessions
		return s, nil
	}
	if b := o.Beside; b != nil {
		s.HTTP, s.HTTPS, s.Health, s.Default = b.HTTP, b.HTTPS, b.Health, b.Default
	} else if err := s.takePorts(); err != nil {
		return nil, err
	}
	if o.HTTP != 0 {
		s.HTTP, s.HTTPS = o.HTTP, o.HTTPS
	}
	var err error
	if s.Temp, err = os.MkdirTemp("", "t"); err != nil {
		return nil, err
	}
	return s, os.Chmod(s.Temp, 0o711)
}

func (s *Sallyport) takePorts() error {
	ports, err := freePorts(4)
	if err == nil {
		s.HTTP, s.HTTPS, s.Health, s.Default = ports[0], ports[1], ports[2], ports[3]
	}
	return err
}

// Healthy is what `sallyport healthy` says of the one with that socket.
func Healthy(socket string) error {
	out, err := inRoot(exec.Command(os.Getenv(binaryVariable), "healthy", socket)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func (s *Sallyport) start(o Options) (err error) {
	args := []string{
		"--http-port=" + strconv.Itoa(s.HTTP), "--https-port=" + strconv.Itoa(s.HTTPS),
		"--healthz-port=" + strconv.Itoa(s.Health), "--default-server-port=" + strconv.Itoa(s.Default),
		"--profiler-port=0", // its usual port is one for all that run side by side
	}
	if o.WorkDir != "" {
		args = append(args, "--work-dir="+o.WorkDir)
	}
	if o.External != nil {
		args = append(args, "--external-data-plane")
	}
	env := append(without(os.Environ(), "TMPDIR"), "TMPDIR="+s.Temp, "POD_NAME=sallyport-0", "POD_NAMESPACE=sallyport")
	log, err := os.CreateTemp("", "sallyport-*.log")
	if err != nil {
		return err
	}
	log.Close()
	p := program{log: log.Name(), env: append(env, o.Env...), path: os.Getenv(binaryVariable), args: append(args, o.Args...), user: o.User, root: Root()}
	owner := int(o.User)
	if o.Confined != nil {
		owner = o.Confined.User
		if p, err = p.confine(*o.Confined); err != nil {
			return err
		}
	}
	if owner != 0 {
		if err := os.Chown(s.Temp, owner, owner); err != nil {
			return err
		}
	}
	s.process, err = p.start()
	return err
}

// Ready waits until /healthz answers 200.
func (s *Sallyport) Ready(t T) {
	t.Helper()
	err := await(func() error {
		if s.process.ended() {
			return nil
		}
		status, err := s.healthz()
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("/healthz answers %d", status)
		}
		return err
	})
	if s.process.ended() {
		err = fmt.Errorf("%s before it was ready", s.process.status())
	}
	if err != nil {
		t.Fatalf("sallyport: %v\n%s", err, tail(s.Log(), 30))
	}
	if len(s.Workers()) == 0 {
		t.Fatalf("sallyport: is ready without an nginx, or its nginx isn't found: %v", processes())
	}
}

// Healthz asks /healthz once. Nobody listening is status 0.
func (s *Sallyport) Healthz() int {
	status, err := s.healthz()
	if err != nil {
		return 0
	}
	return status
}

func (s *Sallyport) healthz() (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/healthz", s.Health), nil)
	if err != nil {
		return 0, err
	}
	q.Close = true
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, err
	}
	return r.StatusCode, r.Body.Close()
}

// Log is what the controller and its nginx have said so far on standard error.
func (s *Sallyport) Log() string { return s.process.text(s.process.log) }

// AccessLog is what they have written to standard output.
func (s *Sallyport) AccessLog() string { return s.process.text(s.process.log + ".out") }

// Pid is the controller's.
func (s *Sallyport) Pid() int { return s.process.cmd.Process.Pid }

// Terminate asks the controller to end, as a kubelet does, and doesn't wait.
func (s *Sallyport) Terminate() { s.process.signal(syscall.SIGTERM) }

// Signal sends the controller a signal.
func (s *Sallyport) Signal(sig syscall.Signal) { s.process.signal(sig) }

// Kill ends the controller at once. Its nginx goes on.
func (s *Sallyport) Kill() { s.process.kill() }

// Ended is closed when the controller has ended.
func (s *Sallyport) Ended() <-chan struct{} { return s.process.done }

// ExitCode is the status the controller ended with, -1 if by a signal.
func (s *Sallyport) ExitCode() int { return s.process.cmd.ProcessState.ExitCode() }

// Stop ends the controller as a kubelet does. It is an error if it doesn't end
// with status 0, or leaves an nginx or a file in its temporary folder. It does
// nothing to a controller that has been stopped, or killed by Kill.
func (s *Sallyport) Stop(t T) {
	t.Helper()
	if s.process.ended() {
		return
	}
	s.Nginx() // remembers its sessions
	s.Terminate()
	select {
	case <-s.process.done:
	case <-time.After(patience):
		t.Errorf("sallyport: didn't end %v after SIGTERM", patience)
		s.Kill()
	}
	if code := s.ExitCode(); code != 0 {
		t.Errorf("sallyport: ended with %s, want status 0", s.process.status())
	}
	if s.external != nil {
		s.external.Stop(t)
	}
	if left := s.Nginx(); len(left) > 0 {
		t.Errorf("sallyport: left nginx behind: %v", left)
	}
	if left, err := filepath.Glob(filepath.Join(s.Temp, "*")); err != nil || len(left) > 0 {
		t.Errorf("sallyport: left files behind: %v (%v)", left, err)
	}
}

// Nginx gives the processes of this Sallyport's nginx: its master first.
func (s *Sallyport) Nginx() []Process {
	all := processes()
	for _, p := range all {
		if p.Master && (p.mentions(s.Temp) || p.mentions(s.WorkDir)) {
			s.sessions[p.Session] = true
		}
	}
	return slices.DeleteFunc(all, func(p Process) bool { return !s.sessions[p.Session] })
}

// Workers gives the process ids of nginx's workers, in order.
func (s *Sallyport) Workers() []int {
	var ids []int
	for _, p := range s.Nginx() {
		if p.Worker {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// Master gives the process id of nginx's master, 0 if there is none.
func (s *Sallyport) Master() int {
	for _, p := range s.Nginx() {
		if p.Master {
			return p.ID
		}
	}
	return 0
}
