package nginx

import (
	"os"
	"path/filepath"
	"testing"
)

// Files appear with the modes of who reads them, stay as they are, and go when
// nobody wants them.
func TestFiles(t *testing.T) {
	n, err := New(Options{Dir: filepath.Join(t.TempDir(), "w")})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	const open, key = "00112233445566778899aabb", "ffeeddccbbaa998877665544"
	if err := n.Keep(map[string]File{open: {Content: []byte("u:x")}, key: {Content: []byte("k"), Private: true}}); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{open: 0o644, key: 0o600} {
		if info, err := os.Stat(filepath.Join(n.Paths().Files, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want mode %v", name, info, err, mode)
		}
	}
	if err := n.Keep(map[string]File{"../escape": {}}); err == nil {
		t.Error("a name that is no digest is taken")
	}
	if err := n.Drop(func(name string) bool { return name == key }); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(n.Paths().Files)
	if err != nil || len(left) != 1 || left[0].Name() != key {
		t.Errorf("left are %v, %v", left, err)
	}
}
