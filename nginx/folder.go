package nginx

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/rootfs"
)

// ErrLocked says that another controller uses the work folder.
var ErrLocked = errors.New("work folder is in use by another controller")

// maxSocketPath is what fits into a unix socket's address on Linux, with the
// byte that ends it.
const maxSocketPath = 107

// prepare makes the folder and what is in it, and returns its lock.
func prepare(p Paths) (*os.File, error) {
	if !filepath.IsAbs(p.Dir) {
		return nil, fmt.Errorf("work folder %q: not an absolute path", p.Dir)
	}
	if len(p.Control) > maxSocketPath {
		return nil, fmt.Errorf("work folder %s: path is too long for a unix socket by %d bytes",
			p.Dir, len(p.Control)-maxSocketPath)
	}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := take(p.lock)
	if err != nil {
		return nil, fmt.Errorf("work folder %s: %w", p.Dir, err)
	}
	if err := fill(p); err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

func fill(p Paths) error {
	// Workers run as another user if the master is root. They may pass
	// through, to the sockets and temporary files, but not look around.
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	for dir, mode := range map[string]fs.FileMode{p.Dir: mode, p.Temp: mode, p.Files: mode, p.Lua: 0o755, p.private: 0o700} {
		if err := os.MkdirAll(dir, mode); err != nil {
			return err
		}
		if err := os.Chmod(dir, mode); err != nil { // it may be there already, and umask
			return err
		}
	}
	return writeLua(p.Lua)
}

// take opens a lock file and locks it. The lock ends with this process.
func take(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	// Another controller may have removed a folder that it took for dead,
	// between the two calls above.
	mine, err1 := f.Stat()
	named, err2 := os.Stat(path)
	if err1 != nil || err2 != nil || !os.SameFile(mine, named) {
		f.Close()
		return nil, ErrLocked
	}
	return f, nil
}

// writeLua puts the data plane's files into a folder. nginx reads them at its
// start and at each reload, so each is replaced as a whole.
func writeLua(dir string) error {
	lua := rootfs.Lua()
	return fs.WalkDir(lua, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, name)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		text, err := fs.ReadFile(lua, name)
		if err != nil {
			return err
		}
		return replaceFile(target, target+".new", text, 0o644)
	})
}

// replaceFile writes a file under another name and renames it.
func replaceFile(target, stage string, content []byte, mode fs.FileMode) error {
	if err := writeFile(stage, content, mode); err != nil {
		return err
	}
	return os.Rename(stage, target)
}

// writeFile writes a new file of exactly that mode.
func writeFile(name string, content []byte, mode fs.FileMode) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Chmod(mode), f.Close())
}
