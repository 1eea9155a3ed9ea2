package nginx

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// A File is something that a configuration reads by name.
type File struct {
	Content []byte
	// Private files are for the master alone; others are read by workers too,
	// which can't list the folder.
	Private bool
}

var fileName = regexp.MustCompile(`^[0-9a-f]{16,64}$`)

// Keep writes those of the files that are not there yet. A name is a digest of
// the content, in hexadecimal: a file that is there is as it should be.
func (f *Folder) Keep(files map[string]File) error {
	for name, file := range files {
		if !fileName.MatchString(name) {
			return fmt.Errorf("file %q: its name is no digest", name)
		}
		target := filepath.Join(f.paths.Files, name)
		if _, err := os.Lstat(target); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		mode := fs.FileMode(0o644)
		if file.Private {
			mode = 0o600
		}
		if err := replaceFile(target, target+".new", file.Content, mode); err != nil {
			return err
		}
	}
	return nil
}

// Drop removes all files but those that wanted accepts.
func (f *Folder) Drop(wanted func(name string) bool) error {
	found, err := os.ReadDir(f.paths.Files)
	if err != nil {
		return err
	}
	var names []string
	for _, entry := range found {
		if !wanted(entry.Name()) {
			names = append(names, filepath.Join(f.paths.Files, entry.Name()))
		}
	}
	return f.paths.removeFiles(names...)
}
