package nginx

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// freshPattern names the folders that FreshDir makes.
const freshPattern = "sallyport-"

// FreshDir returns a private work folder among the system's temporary files.
// If an nginx, or workers of one, have outlived their controller in such a
// folder of this user, and match accepts it, that folder is returned for Adopt
// and Start. Folders in which
// nothing lives any more are removed on the way.
func FreshDir(match func(Paths) bool) (string, error) {
	found, err := filepath.Glob(filepath.Join(os.TempDir(), freshPattern+"*"))
	if err != nil {
		return "", err
	}
	for _, dir := range found {
		if abandoned(dir, match) {
			return dir, nil
		}
	}
	dir, err := os.MkdirTemp("", freshPattern)
	if err != nil {
		return "", err
	}
	return dir, writeFile(PathsIn(dir).fresh, nil, 0o600)
}

// FreshDirs are the folders that FreshDir made for this user.
func FreshDirs() ([]string, error) {
	found, err := filepath.Glob(filepath.Join(os.TempDir(), freshPattern+"*"))
	return slices.DeleteFunc(found, func(dir string) bool { return !madeByMe(PathsIn(dir)) }), err
}

// abandoned says whether a folder holds a living nginx without a controller
// that match accepts. It removes the folder if nothing lives in it.
func abandoned(dir string, match func(Paths) bool) bool {
	p := PathsIn(dir)
	if !madeByMe(p) {
		return false
	}
	lock, err := take(p.lock)
	if err != nil {
		return false // its controller lives, or there is nothing to learn
	}
	defer lock.Close()
	pid := readPid(p)
	rest := session(pid)
	if isMaster(pid, p) || slices.ContainsFunc(rest, func(s stat) bool { return strings.HasPrefix(title(s.pid), "nginx: ") }) {
		return match(p) // Adopt takes the master, or Start has its orphans finish
	}
	if len(rest) == 0 {
		// What cannot be removed now is found again the next time.
		_ = os.RemoveAll(dir)
	}
	return false
}

// madeByMe says whether FreshDir made the folder for this user, and a
// controller has been in it: one without a lock file may be about to be used.
func madeByMe(p Paths) bool {
	info, err := os.Lstat(p.Dir)
	if err != nil || !info.IsDir() {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) != os.Geteuid() {
		return false
	}
	_, err1 := os.Lstat(p.fresh)
	_, err2 := os.Lstat(p.lock)
	return errors.Join(err1, err2) == nil
}
