package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A process is a program that a measure started.
type process struct {
	cmd    *exec.Cmd
	stderr string        // the file that holds its standard error
	ended  chan struct{} // closed at its end
}

// start runs a program until the session ends. Its output goes to the files
// stdout and stderr in dir.
func start(s *session, dir string, cmd *exec.Cmd) *process {
	p := &process{cmd: cmd, stderr: filepath.Join(dir, "stderr"), ended: make(chan struct{})}
	out, err := appendTo(filepath.Join(dir, "stdout"))
	s.must(err, "standard output")
	defer out.Close()
	errs, err := appendTo(p.stderr)
	s.must(err, "standard error")
	defer errs.Close()
	cmd.Stdout, cmd.Stderr = out, errs
	s.must(cmd.Start(), cmd.Path)
	go func() {
		_ = cmd.Wait()
		close(p.ended)
	}()
	s.Cleanup(func() { p.stop(s) })
	return p
}

// appendTo opens a file so that whoever writes to it goes on after a truncate.
func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
}

func (p *process) stop(s *session) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
		s.Errorf("%s: did not end within 30 s of SIGTERM", filepath.Base(p.cmd.Path))
	}
}

// await polls a condition until it holds, the process ends, or a minute is
// over. It is for the time before a measurement, never within one.
func (p *process) await(s *session, what string, ok func() bool) {
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		select {
		case <-p.ended:
			s.Fatalf("%s: ended while waiting until %s: %s", filepath.Base(p.cmd.Path), what, lastWords(p.stderr, 5))
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.Fatalf("%s: waited a minute until %s: %s", filepath.Base(p.cmd.Path), what, lastWords(p.stderr, 5))
		}
	}
}

// lastWords is the end of a file of standard error, for messages.
func lastWords(file string, lines int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// answers says whether a plain GET of a URL gives 200 now.
func answers(url string) bool {
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Get(url)
	if err != nil {
		return false
	}
	r.Body.Close()
	return r.StatusCode == http.StatusOK
}

// worker gives the only worker of a master of nginx.
func worker(master int) (int, error) {
	found, err := children(master)
	if err != nil {
		return 0, err
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("nginx %d has %d workers, want 1", master, len(found))
	}
	return found[0], nil
}

// tempDir makes a folder that nginx's workers may pass through, whoever they
// run as. It is removed at the end of the session.
func tempDir(s *session) string {
	dir, err := os.MkdirTemp("", "bench-")
	s.must(err, "temporary folder")
	s.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.Errorf("%v", err)
		}
	})
	s.must(os.Chmod(dir, 0o755), "temporary folder")
	return dir
}
