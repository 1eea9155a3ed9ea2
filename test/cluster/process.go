package cluster

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// A process is a program that this package started, with what it says in files:
// standard error in log, standard output beside it.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when the process has ended
}

// A program is what a process is started from.
type program struct {
	path, log string
	args, env []string
	user      uint32 // 0: the one of the tests
	root      string // "": that of the tests
	// namespaces are flags of clone(2).
	namespaces uintptr
}

func start(log string, path string, args ...string) (*process, error) {
	return program{path: path, log: log, args: args, env: os.Environ()}.start()
}

func (g program) start() (*process, error) {
	var files [2]*os.File
	for i, path := range []string{g.log, g.log + ".out"} {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		files[i] = f
	}
	c := exec.Command(g.path, g.args...)
	c.Env, c.Stderr, c.Stdout = g.env, files[0], files[1]
	// A session of its own: Ctrl-C reaches the tests, and they end their processes.
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Chroot: g.root, Cloneflags: g.namespaces}
	if g.root != "" {
		c.Dir = "/"
	}
	if g.user != 0 {
		c.SysProcAttr.Credential = &syscall.Credential{Uid: g.user, Gid: g.user}
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: c, log: g.log, done: make(chan struct{})}
	go func() {
		_ = c.Wait() // its result is in ProcessState
		close(p.done)
	}()
	return p, nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal is without effect on a process that has ended.
func (p *process) signal(s syscall.Signal) {
	if !p.ended() {
		_ = p.cmd.Process.Signal(s)
	}
}

func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// status is how the process ended, such as "exit status 1".
func (p *process) status() string { return p.cmd.ProcessState.String() }

// text is what the process has written to one of its files so far.
func (p *process) text(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// tail gives the last lines of a text.
func tail(text string, lines int) string {
	all := bytes.SplitAfter([]byte(text), []byte("\n"))
	if cut := len(all) - lines; cut > 0 {
		return fmt.Sprintf("(%d lines before)\n%s", cut, bytes.Join(all[cut:], nil))
	}
	return text
}
