package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// A source is what Sallyport reads objects from.
type source interface {
	// Apply makes the objects of a YAML text so.
	Apply(t cluster.T, text string)
	// Delete removes one object.
	Delete(t cluster.T, kind, namespace, name string)
	// args are what Sallyport is started with to read it.
	args(t *testing.T) []string
}

// live is a control plane, read by a user with the controller's rights only.
type live struct{ *cluster.Cluster }

func (l *live) args(t *testing.T) []string {
	t.Helper()
	path, err := l.Kubeconfig(cluster.Controller)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"--kubeconfig=" + path}
}

// folder is a folder of manifests, with a file for each object.
type folder struct{ dir string }

func (f *folder) args(*testing.T) []string { return []string{"--manifests=" + f.dir} }

func (f *folder) path(kind, namespace, name string) string {
	return filepath.Join(f.dir, kind+"."+namespace+"."+name+".yaml")
}

// Apply replaces files as careful tools do: under another name first.
func (f *folder) Apply(t cluster.T, text string) {
	t.Helper()
	all, err := cluster.Objects(text)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, o := range all {
		body, err := cluster.Encode(o)
		if err != nil {
			t.Fatalf("%v", err)
		}
		f.write(t, f.path(o.GetKind(), o.GetNamespace(), o.GetName()), body)
	}
}

func (f *folder) write(t cluster.T, path string, body []byte) {
	t.Helper()
	hidden := filepath.Join(filepath.Dir(path), ".new")
	err := os.WriteFile(hidden, body, 0o644)
	if err == nil {
		err = os.Rename(hidden, path)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func (f *folder) Delete(t cluster.T, kind, namespace, name string) {
	t.Helper()
	if err := os.Remove(f.path(kind, namespace, name)); err != nil {
		t.Fatalf("%v", err)
	}
}
