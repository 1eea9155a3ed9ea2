package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// largestFile is the most that is read of one file. It is far above any sane
// manifest; without a bound one file could take all memory.
const largestFile = 64 << 20

// mostFolders is how many folders are read. A link to / must not bring in a
// whole machine, nor use up its watches.
const mostFolders = 10_000

// A finder walks a folder for manifests.
type finder struct {
	// watch is told each folder on which the files found depend, before it is
	// read. It may be nil.
	watch    func(dir string)
	files    []found
	problems map[string][]model.Problem // of folders and links that can't be read
	visited  map[string]bool            // folders, by their real path
}

// A found is one manifest file, unread.
type found struct {
	path string
	info fs.FileInfo // of what a link leads to
}

// find walks a folder and what is in it, links followed. It returns an error
// only for the folder itself.
func find(dir string, watch func(string)) (*finder, error) {
	f := &finder{watch: watch, problems: map[string][]model.Problem{}, visited: map[string]bool{}}
	// Where dir is a link, what it leads to may be exchanged.
	if info, err := os.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		f.depend(filepath.Dir(filepath.Clean(dir)))
	}
	if err := f.folder(dir); err != nil {
		return nil, err
	}
	return f, nil
}

// folder visits each real folder once: links may go in circles.
func (f *finder) folder(dir string) error {
	actual, err := filepath.EvalSymlinks(dir)
	if err != nil || f.visited[actual] {
		return err
	}
	if len(f.visited) == mostFolders {
		return fmt.Errorf("there are more than %d folders", mostFolders)
	}
	f.depend(actual)
	f.visited[actual] = true
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		// Names with a dot in front are an editor's, or the folders from which a
		// mounted ConfigMap's links take their files.
		if !strings.HasPrefix(e.Name(), ".") {
			f.entry(filepath.Join(dir, e.Name()), e)
		}
	}
	return nil
}

func (f *finder) depend(actual string) {
	if f.watch != nil {
		f.watch(actual)
	}
}

func (f *finder) entry(path string, e fs.DirEntry) {
	isLink := e.Type()&fs.ModeSymlink != 0
	if !isLink && !e.IsDir() && !isManifest(path) {
		return
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		err = f.folder(path)
	case !isManifest(path):
		return
	case err == nil:
		f.files = append(f.files, found{path, info})
		if isLink {
			f.target(path)
		}
		return
	}
	// What vanished while we looked is no problem, but a link into nowhere is.
	if err != nil && (isLink || !errors.Is(err, fs.ErrNotExist)) {
		f.problems[path] = unread(path, err)
	}
}

// target watches where a linked file really is.
func (f *finder) target(path string) {
	if actual, err := filepath.EvalSymlinks(path); err == nil {
		f.depend(filepath.Dir(actual))
	}
}

func isManifest(path string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path))
}

func unread(path string, err error) []model.Problem {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err // the path is told already
	}
	return []model.Problem{{Object: model.Object{File: path}, Reason: "cannot be read: " + err.Error()}}
}

// readFile reads a file that ought to be regular: a pipe would never end.
func readFile(path string, info fs.FileInfo) ([]byte, error) {
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // nothing was written
	return readAll(r)
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, largestFile+1))
	if err == nil && len(data) > largestFile {
		err = fmt.Errorf("is larger than %d MiB", largestFile>>20)
	}
	return data, err
}
