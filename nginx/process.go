package nginx

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// poll is how often the state of a process is looked at while something is
// waited for that it cannot tell.
const poll = 5 * time.Millisecond

// process is a master that runs, or has run.
type process struct {
	pid    int
	exited chan struct{} // closed when it has gone
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// launch starts a master in a session of its own, so that neither a terminal's
// Ctrl-C nor the controller's end reaches it.
func (n *Nginx) launch() (*process, error) {
	cmd := exec.Command(n.options.Binary, "-c", n.paths.Conf, "-p", n.paths.Dir,
		// nginx's words go to the controller's stderr, which cannot be read
		// back. The worst of them go to a file as well: -e is the log until
		// nginx.conf has been read, -g the one from then on.
		"-e", n.paths.emerg, "-g", "error_log "+n.paths.emerg+" emerg;")
	cmd.Stdout, cmd.Stderr = n.options.Stdout, n.options.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	p := &process{pid: cmd.Process.Pid, exited: make(chan struct{})}
	go func() {
		err := cmd.Wait()
		n.log.Info("nginx master has ended", "pid", p.pid, "state", cmd.ProcessState.String(), "error", err)
		close(p.exited)
	}()
	return p, nil
}

// follow watches a master that is not a child of this process.
func (n *Nginx) follow(pid int) (*process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("nginx master %d: watch: %w", pid, err)
	}
	p := &process{pid: pid, exited: make(chan struct{})}
	go func() {
		defer unix.Close(fd)
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			_, err := unix.Poll(fds, -1)
			if !errors.Is(err, unix.EINTR) {
				break
			}
		}
		n.log.Info("adopted nginx master has ended", "pid", pid)
		close(p.exited)
	}()
	return p, nil
}

// until calls done again and again until it says so, or returns an error, or
// the context ends.
func until(ctx context.Context, done func() (bool, error)) error {
	return every(ctx, poll, done)
}

func every(ctx context.Context, pause time.Duration, done func() (bool, error)) error {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
