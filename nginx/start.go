package nginx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// Start runs nginx with that configuration and data, and returns when its
// workers answer. The first of them holds all the data already. Workers that
// a dead master has left behind finish their requests and go.
//
// The error is a *ConfigError where nginx says what is wrong with the file,
// has nginx's own words where it says something else, and is ErrFull where
// nginx runs but the data does not fit.
func (n *Nginx) Start(ctx context.Context, conf []byte, data map[string]string) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	if pid := n.Pid(); pid != 0 {
		return fmt.Errorf("nginx master %d: runs already", pid)
	}
	orphans := n.orphans()
	if err := n.writeInput(conf, data); err != nil {
		return err
	}
	defer os.Remove(n.paths.data) // it holds private keys

	shared := reusePort.Match(conf)
	if !shared {
		// Only one of two can listen.
		if err := n.dismiss(ctx, orphans); err != nil {
			return err
		}
	}
	if err := n.paths.removeFiles(n.paths.Control, n.paths.Unavailable, n.paths.Opened, n.paths.Own, n.paths.Through, n.paths.Pid, n.paths.emerg); err != nil {
		return err
	}
	p, err := n.launch()
	if err != nil {
		return err
	}
	n.setCurrent(p)
	if err := n.awaitStart(ctx, p, Generation(conf)); err != nil {
		n.kill(p)
		return err
	}
	if shared {
		err = n.dismiss(ctx, orphans)
	}
	return errors.Join(err, n.checkLost(ctx))
}

// reusePort finds a listening socket that two masters can have at once.
var reusePort = regexp.MustCompile(`(?m)^\s*listen\s[^;]*\sreuseport[\s;]`)

func (n *Nginx) writeInput(conf []byte, data map[string]string) error {
	text, err := json.Marshal(push{Set: data})
	if err != nil {
		return err
	}
	if err := writeFile(n.paths.data, text, 0o600); err != nil {
		return err
	}
	return replaceFile(n.paths.Conf, n.paths.stage, conf, 0o600)
}

// awaitStart waits until all workers of a generation are there.
func (n *Nginx) awaitStart(ctx context.Context, p *process, generation string) error {
	err := until(ctx, func() (bool, error) {
		if !p.running() {
			if err := complaint(n.lastWords(0)); err != nil {
				return false, fmt.Errorf("start nginx: %w", err)
			}
			return false, errors.New("start nginx: it ended at once and did not say why")
		}
		s, err := n.Status(ctx)
		return err == nil && s.Generation == generation && s.Workers >= s.Configured, nil
	})
	if err != nil {
		return err
	}
	// nginx makes it with 0666. The folder around it is closed to others.
	return os.Chmod(n.paths.Control, 0o600)
}

func (n *Nginx) checkLost(ctx context.Context) error {
	s, err := n.Status(ctx)
	if err == nil && s.Lost > 0 {
		err = fmt.Errorf("%w: %d items are missing", ErrFull, s.Lost)
	}
	return err
}

// orphans returns the workers of a master of this folder that has died.
func (n *Nginx) orphans() []stat {
	pid := readPid(n.paths)
	if p := n.current(); p != nil {
		pid = p.pid
	}
	var workers []stat
	for _, s := range session(pid) {
		if strings.HasPrefix(title(s.pid), "nginx: ") {
			workers = append(workers, s)
		}
	}
	return workers
}

// dismiss tells workers to finish and waits until they no longer listen. It
// does not wait until they have finished.
func (n *Nginx) dismiss(ctx context.Context, workers []stat) error {
	if len(workers) == 0 {
		return nil
	}
	n.log.Info("workers of a dead nginx master finish their requests", "workers", len(workers))
	for _, w := range workers {
		_ = unix.Kill(w.pid, unix.SIGQUIT) // one that has ended needs no telling
	}
	sockets := listeners(n.paths.Control)
	return until(ctx, func() (bool, error) { return deaf(workers, sockets), nil })
}

// kill ends a master at once, with all its workers.
func (n *Nginx) kill(p *process) {
	_ = unix.Kill(-p.pid, unix.SIGKILL) // nobody is left where it fails
	// Bounded, for the case that one is stuck in the kernel.
	ctx, cancel := context.WithTimeout(context.Background(), killing)
	defer cancel()
	_ = n.awaitEnd(ctx, p)
}
