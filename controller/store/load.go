package store

import (
	"io"
	"io/fs"
	"maps"
	"os"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// Load reads files and folders once. "-" is the standard input. What can't be
// read is in the Snapshot's Problems; nothing is asked of the DNS.
func Load(paths ...string) *Snapshot { return load(os.Stdin, paths) }

func load(stdin io.Reader, paths []string) *Snapshot {
	all, problems := catalog{}, map[string][]model.Problem{}
	for _, path := range paths {
		if path == "-" {
			data, err := readAll(stdin)
			add(all, problems, path, data, err)
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			problems[path] = unread(path, err)
		case info.IsDir():
			loadFolder(all, problems, path)
		default:
			loadFile(all, problems, path, info)
		}
	}
	v := all.view()
	maps.Copy(v.problems, problems)
	p := newPending()
	v.since(view{}, p)
	s := &Store{pending: p, snapshot: newSnapshot(), owners: map[Key]Key{}}
	snapshot, _ := s.Take()
	return snapshot
}

func loadFolder(all catalog, problems map[string][]model.Problem, path string) {
	f, err := find(path, nil)
	if err != nil {
		problems[path] = unread(path, err)
		return
	}
	maps.Copy(problems, f.problems)
	for _, one := range f.files {
		loadFile(all, problems, one.path, one.info)
	}
}

func loadFile(all catalog, problems map[string][]model.Problem, path string, info fs.FileInfo) {
	data, err := readFile(path, info)
	add(all, problems, path, data, err)
}

func add(all catalog, problems map[string][]model.Problem, path string, data []byte, err error) {
	if err != nil {
		problems[path] = unread(path, err)
		return
	}
	all.update(decodeFile(path, data))
}

// since reports to pending in what this view differs from an earlier one.
func (v view) since(was view, p *pending) {
	for r, o := range v.objects {
		if was.objects[r] != o {
			p.put(o)
		}
	}
	for r := range was.objects {
		if v.objects[r] == nil {
			p.remove(r)
		}
	}
	for source, all := range v.problems {
		p.problem(source, all)
	}
	for source := range was.problems {
		if v.problems[source] == nil {
			p.problem(source, nil)
		}
	}
}
