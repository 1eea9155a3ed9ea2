package nginx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

var generationCall = regexp.MustCompile(`sallyport\.worker\("([^"\\]*)"\)`)

// Generation returns the generation of a configuration: the text with which it
// calls sallyport.worker; "" where it does not.
func Generation(conf []byte) string {
	found := generationCall.FindSubmatch(conf)
	if found == nil {
		return ""
	}
	return string(found[1])
}

// Test lets nginx judge a configuration. The live one is not touched. The error
// is a *ConfigError where nginx refuses it.
func (n *Nginx) Test(ctx context.Context, conf []byte) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	if err := writeFile(n.paths.stage, conf, 0o600); err != nil {
		return err
	}
	defer os.Remove(n.paths.stage)
	cmd := exec.CommandContext(ctx, n.options.Binary, "-t", "-q", "-c", n.paths.stage, "-p", n.paths.Dir)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("test nginx.conf: %w", context.Cause(ctx))
	}
	return refusal(said.Bytes(), err)
}

// refusal makes a *ConfigError of whatever nginx said when it refused a file.
func refusal(said []byte, err error) error {
	words := complaint(said)
	if words == nil {
		return fmt.Errorf("test nginx.conf: %w: %s", err, bytes.TrimSpace(said))
	}
	var config *ConfigError
	if errors.As(words, &config) {
		return config
	}
	return &ConfigError{Message: words.Error()}
}

// Reload makes a configuration the live one, and returns when workers that
// know it answer and those before accept no more connections. It does not
// Test. Where nginx does not take it, the file before is put back, nginx goes
// on as it was, and the error is a *ConfigError.
func (n *Nginx) Reload(ctx context.Context, conf []byte) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	p := n.current()
	if p == nil || !p.running() {
		return errors.New("reload nginx: it does not run")
	}
	before, err := os.ReadFile(n.paths.Conf)
	if err != nil {
		return err
	}
	old := n.serving(p.pid)
	said := n.said()
	if err := replaceFile(n.paths.Conf, n.paths.stage, conf, 0o600); err != nil {
		return err
	}
	err = n.signal(p, unix.SIGHUP)
	if err == nil {
		err = n.awaitReload(ctx, p, Generation(conf), old, said)
	}
	if err != nil {
		return errors.Join(err, replaceFile(n.paths.Conf, n.paths.stage, before, 0o600))
	}
	return nil
}

// stuckAfter is how long old workers may take to stop accepting connections.
const stuckAfter = 5 * time.Second

// awaitReload waits until new workers answer and the old ones no longer
// accept: until then, a client may still meet the old configuration.
func (n *Nginx) awaitReload(ctx context.Context, p *process, generation string, old []stat, said int64) error {
	sockets := listeners(n.paths.Control)
	known := false
	var since time.Time // when the new workers were there
	return until(ctx, func() (bool, error) {
		if !p.running() {
			return false, errors.New("reload nginx: it has ended")
		}
		if !known {
			s, err := n.Status(ctx)
			known = err == nil && s.Generation == generation && s.Workers >= s.Configured &&
				newcomer(n.serving(p.pid), old)
		}
		if !known {
			return false, asConfigError(surrender(n.lastWords(said)))
		}
		if since.IsZero() {
			since = time.Now()
		}
		if time.Since(since) > stuckAfter {
			n.log.Warn("a worker of the configuration before hangs, and may still accept connections", "master", p.pid)
			return true, nil
		}
		return deaf(old, sockets), nil
	})
}

func asConfigError(words error) error {
	var config *ConfigError
	if words == nil || errors.As(words, &config) {
		return words
	}
	return &ConfigError{Message: words.Error()}
}

// serving returns the workers of a master that accept connections.
func (n *Nginx) serving(master int) []stat {
	sockets := listeners(n.paths.Control)
	var workers []stat
	for _, s := range session(master) {
		if s.pid != master && holds(s.pid, sockets) {
			workers = append(workers, s)
		}
	}
	return workers
}

// newcomer says whether there is a worker now that was not there before.
func newcomer(now, before []stat) bool {
	known := map[int]uint64{}
	for _, s := range before {
		known[s.pid] = s.start
	}
	for _, s := range now {
		if start, ok := known[s.pid]; !ok || start != s.start {
			return true
		}
	}
	return false
}

// deaf says whether none of the workers has one of the listening sockets open.
func deaf(workers []stat, sockets map[string]bool) bool {
	for _, w := range workers {
		s, err := readStat(w.pid)
		if err == nil && s.start == w.start && holds(w.pid, sockets) {
			return false
		}
	}
	return true
}
