package nginx

import (
	"context"
	"errors"
	"os"
)

// Adopt takes over an nginx that has outlived the controller that started it,
// and says whether there was one. Its configuration and data are as it was
// left: Digests and Generation tell what they are.
func (n *Nginx) Adopt(ctx context.Context) (bool, error) {
	n.changing.Lock()
	defer n.changing.Unlock()
	pid := readPid(n.paths)
	if !isMaster(pid, n.paths) {
		return false, nil
	}
	status, err := n.Status(ctx)
	if err != nil {
		n.log.Warn("an nginx is there that does not answer; it is left alone", "pid", pid, "error", err)
		return false, err
	}
	p, err := n.follow(pid)
	if err != nil {
		return false, err
	}
	n.setCurrent(p)
	// The controller before may have died in the middle of a start.
	err = errors.Join(n.paths.removeFiles(n.paths.data, n.paths.stage), os.Chmod(n.paths.Control, 0o600))
	n.log.Info("nginx adopted", "pid", pid, "generation", status.Generation)
	return true, err
}
