package lab

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Process is a program that a measure started.
type Process struct {
	cmd    *exec.Cmd
	stderr string        // the file that holds its standard error
	ended  chan struct{} // closed at its end
}

// Start runs a program until the session ends. Its output goes to the files
// stdout and stderr in dir.
func Start(s *Session, dir string, cmd *exec.Cmd) *Process {
	p := &Process{cmd: cmd, stderr: filepath.Join(dir, "stderr"), ended: make(chan struct{})}
	out, err := appendTo(filepath.Join(dir, "stdout"))
	s.Must(err, "standard output")
	defer out.Close()
	errs, err := appendTo(p.stderr)
	s.Must(err, "standard error")
	defer errs.Close()
	cmd.Stdout, cmd.Stderr = out, errs
	s.Must(cmd.Start(), cmd.Path)
	go func() {
		_ = cmd.Wait()
		close(p.ended)
	}()
	s.Cleanup(func() { p.Stop(s) })
	return p
}

// appendTo opens a file so that whoever writes to it goes on after a truncate.
func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed at its end.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Kill ends the process without a word, and waits for it.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Stop asks the process to end, and waits for it. It is done at the end of the
// session where nobody did it before.
func (p *Process) Stop(s *Session) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		p.Kill()
		s.Errorf("%s: did not end within 30 s of SIGTERM", filepath.Base(p.cmd.Path))
	}
}

// patience bounds each wait for a program. It only ends a measure that would
// never end.
const patience = 5 * time.Minute

// Await polls a condition until it holds, the process ends, or five minutes are
// over. It is for the time before a measurement, never within one.
func (p *Process) Await(s *Session, what string, ok func() bool) {
	deadline := time.Now().Add(patience)
	for !ok() {
		select {
		case <-p.ended:
			s.Fatalf("%s: ended while waiting until %s: %s", filepath.Base(p.cmd.Path), what, LastWords(p.stderr, 5))
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.Fatalf("%s: waited %v until %s: %s", filepath.Base(p.cmd.Path), patience, what, LastWords(p.stderr, 5))
		}
	}
}

// LastWords is the end of a file of standard error, for messages.
func LastWords(file string, lines int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// TempDir makes a folder that nginx's workers may pass through, whoever they
// run as. It is removed at the end of the session.
func TempDir(s *Session) string {
	dir, err := os.MkdirTemp("", "bench-")
	s.Must(err, "temporary folder")
	s.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.Errorf("%v", err)
		}
	})
	s.Must(os.Chmod(dir, 0o755), "temporary folder")
	return dir
}
