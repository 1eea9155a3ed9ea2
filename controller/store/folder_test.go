package store

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// running is a folder's Store under test.
type running struct {
	*Store
	t   *testing.T
	dir string
}

func runFolder(t *testing.T, dir string) *running {
	t.Helper()
	s := NewFolder(dir, FolderOptions{})
	s.source.(*folder).poll = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	r := &running{s, t, dir}
	r.until("settled", func(*Snapshot) bool { return s.Settled() })
	return r
}

// until takes what comes until ok says yes. It fails only when the test's own
// deadline is near: how long it takes is not what is tested.
func (r *running) until(what string, ok func(*Snapshot) bool) *Snapshot {
	r.t.Helper()
	var late <-chan time.Time
	if end, has := r.t.Deadline(); has {
		late = time.After(time.Until(end) - 5*time.Second)
	}
	for {
		if s, _ := r.Take(); ok(s) {
			return s
		}
		select {
		case <-r.Changed():
		case <-late:
			s, _ := r.Take()
			r.t.Fatalf("never %s: services %v, problems %v", what, s.Services, s.Problems)
		}
	}
}

func (r *running) write(name, text string) { writeFile(r.t, filepath.Join(r.dir, name), text) }

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func service(name, external string) string {
	return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec: {type: ExternalName, externalName: " + external + "}\n"
}

// says is true when the Service is there and names this host; "" for not there.
func says(name, external string) func(*Snapshot) bool {
	return func(s *Snapshot) bool {
		o := s.Services[key("default", name)]
		return o == nil && external == "" || o != nil && o.Spec.ExternalName == external
	}
}

func TestFolderThatIsNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	writeFile(t, file, "")
	for _, dir := range []string{file, file + "-missing", file + "/x"} {
		if err := NewFolder(dir, FolderOptions{}).Run(t.Context()); err == nil {
			t.Errorf("%s: no error", dir)
		}
	}
}

func TestFolderFollowsItsFiles(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.yaml"), service("a", "one"))
	writeFile(t, filepath.Join(dir, ".hidden.yaml"), service("h", "one"))
	writeFile(t, filepath.Join(dir, ".d/a.yaml"), service("h", "one"))
	writeFile(t, filepath.Join(dir, "notes.txt"), "kind: [")
	writeFile(t, filepath.Join(dir, "sub/deep/b.json"), `{"apiVersion":"v1","kind":"Service","metadata":{"name":"b"},"spec":{"externalName":"one"}}`)
	r := runFolder(t, dir)
	s := r.until("there", says("b", "one"))
	if len(s.Services) != 2 || len(s.Problems) != 0 {
		t.Fatalf("%v %v", s.Services, s.Problems)
	}
	r.write("a.yaml", service("a", "two"))
	r.until("changed", says("a", "two"))
	r.write("new/er/c.yml", service("c", "one"))
	r.until("in a new folder", says("c", "one"))
	r.write("new/er/c.yml", service("c", "two"))
	r.until("watched in a new folder", says("c", "two"))
	must(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "newer")))
	r.write("newer/er/c.yml", service("c", "three"))
	r.until("watched in a renamed folder", says("c", "three"))
	must(t, os.RemoveAll(filepath.Join(dir, "newer")))
	r.until("gone with its folder", says("c", ""))
	r.write("newer/er/c.yml", service("c", "four"))
	r.until("in a folder made anew", says("c", "four"))
	must(t, os.Remove(filepath.Join(dir, "a.yaml")))
	r.until("gone with its file", says("a", ""))
	// Editors write beside the file and rename.
	writeFile(t, filepath.Join(dir, ".a.swp"), service("a", "five"))
	must(t, os.Rename(filepath.Join(dir, ".a.swp"), filepath.Join(dir, "a.yaml")))
	r.until("there by a rename", says("a", "five"))
}

func TestFolderKeepsWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	r := runFolder(t, dir)
	r.write("a.yaml", service("a", "one"))
	r.until("there", says("a", "one"))

	r.write("a.yaml", "kind: [\n")
	s := r.until("a problem", func(s *Snapshot) bool { return len(s.Problems) == 1 })
	path := filepath.Join(dir, "a.yaml")
	if p := s.Problems[path][0]; p.Object.File != path || p.Object.Line != 1 || !says("a", "one")(s) {
		t.Errorf("%v, and %v", p, s.Services)
	}
	r.write("a.yaml", service("a", "two"))
	r.until("mended", func(s *Snapshot) bool { return len(s.Problems) == 0 && says("a", "two")(s) })

	must(t, os.Remove(path))
	must(t, os.Symlink("nowhere", path))
	s = r.until("a link into nowhere", func(s *Snapshot) bool { return len(s.Problems) == 1 })
	if !says("a", "two")(s) {
		t.Error("a link into nowhere takes its objects along")
	}
	must(t, os.Remove(path))
	r.until("gone", func(s *Snapshot) bool { return len(s.Problems) == 0 && says("a", "")(s) })
}

func TestFolderHostileFiles(t *testing.T) {
	dir := t.TempDir()
	mkfifo(t, filepath.Join(dir, "pipe.yaml")) // reading it would never end
	must(t, os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o755))
	must(t, os.Symlink(".", filepath.Join(dir, "circle")))
	must(t, os.Symlink("..", filepath.Join(dir, "up")))
	must(t, os.Symlink("self.yaml", filepath.Join(dir, "self.yaml")))
	big, err := os.Create(filepath.Join(dir, "big.yaml"))
	must(t, err)
	must(t, big.Truncate(largestFile+1))
	must(t, big.Close())
	writeFile(t, filepath.Join(dir, "z.yaml"), service("z", "one"))
	s := runFolder(t, dir).until("there", says("z", "one"))
	for name, reason := range map[string]string{"pipe.yaml": "not a regular file", "self.yaml": "too many levels", "big.yaml": "larger than 64 MiB"} {
		all := s.Problems[filepath.Join(dir, name)]
		if len(all) != 1 || !strings.Contains(all[0].Reason, reason) {
			t.Errorf("%s: %v", name, all)
		}
	}
}

// A mounted ConfigMap is exchanged by renaming one link that no visible name
// shows.
func TestFolderSeesAMountedConfigMapChange(t *testing.T) {
	dir := t.TempDir()
	version := func(name, host string) {
		writeFile(t, filepath.Join(dir, name, "a.yaml"), service("a", host))
		writeFile(t, filepath.Join(dir, name, "sub/b.yaml"), service("b", host))
		must(t, os.Symlink(name, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	version("..2024_1", "one")
	must(t, os.Symlink("..data/a.yaml", filepath.Join(dir, "a.yaml")))
	must(t, os.Symlink("..data/sub", filepath.Join(dir, "sub")))
	r := runFolder(t, dir)
	s := r.until("there", says("b", "one"))
	if len(s.Services) != 2 || len(s.Problems) != 0 {
		t.Errorf("%v %v", s.Services, s.Problems)
	}
	for i, host := range []string{"two", "three"} {
		version("..2024_"+host, host)
		must(t, os.RemoveAll(filepath.Join(dir, []string{"..2024_1", "..2024_two"}[i])))
		r.until("swapped to "+host, func(s *Snapshot) bool { return says("a", host)(s) && says("b", host)(s) })
	}
}

func TestFolderBehindALink(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "v1/a.yaml"), service("a", "one"))
	writeFile(t, filepath.Join(dir, "v2/a.yaml"), service("a", "two"))
	must(t, os.Symlink("v1", filepath.Join(dir, "current")))
	r := runFolder(t, filepath.Join(dir, "current"))
	r.until("there", says("a", "one"))
	must(t, os.Symlink("v2", filepath.Join(dir, "next")))
	must(t, os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "current")))
	r.until("behind the new link", says("a", "two"))
	writeFile(t, filepath.Join(dir, "v2/a.yaml"), service("a", "three"))
	r.until("watched behind the new link", says("a", "three"))
}

func TestFolderThatGoesAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	writeFile(t, filepath.Join(dir, "a.yaml"), service("a", "one"))
	r := runFolder(t, dir)
	r.until("there", says("a", "one"))
	must(t, os.Rename(dir, dir+"-away"))
	s := r.until("a problem", func(s *Snapshot) bool { return len(s.Problems[dir]) == 1 })
	if !says("a", "one")(s) {
		t.Error("its objects went along")
	}
	must(t, os.Rename(dir+"-away", dir))
	r.until("back", func(s *Snapshot) bool { return len(s.Problems) == 0 })
	r.write("a.yaml", service("a", "two"))
	r.until("watched again", says("a", "two"))
}

func TestFolderWithoutChangeTellsNone(t *testing.T) {
	dir := t.TempDir()
	r := runFolder(t, dir)
	r.write("a.yaml", service("a", "one"))
	r.until("there", says("a", "one"))
	r.write("a.yaml", "# a comment\n"+service("a", "one")) // the same content
	r.write("b.yaml", service("b", "one"))
	for {
		s, c := r.Take()
		if c.Services[key("default", "a")] {
			t.Fatal("an object with the same content changed")
		}
		if says("b", "one")(s) {
			return
		}
		<-r.Changed()
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "sub/a.yaml"), service("a", "one"))
	writeFile(t, filepath.Join(dir, "b.txt"), service("b", "one")) // named, so it is read
	missing := filepath.Join(dir, "missing")
	s := load(strings.NewReader(service("c", "one")), []string{dir, "-", filepath.Join(dir, "b.txt"), missing, dir + "/sub"})
	for _, name := range []string{"a", "b", "c"} {
		if !says(name, "one")(s) {
			t.Errorf("%s is missing", name)
		}
	}
	if len(s.Problems) != 1 || s.Problems[missing][0].Reason != "cannot be read: no such file or directory" {
		t.Errorf("problems: %v", s.Problems)
	}
}
