package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// put writes a file in place, as an editor that knows no better does.
func put(t *testing.T, text string, path ...string) {
	t.Helper()
	at := filepath.Join(path...)
	err := os.MkdirAll(filepath.Dir(at), 0o755)
	if err == nil {
		err = os.WriteFile(at, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A file that breaks is named with its line, once, and its last good objects
// stay; so do everybody else's.
func TestABrokenManifest(t *testing.T) {
	w := inFolder(t)
	dir := w.source.(*folder).dir
	apps(t, w, 80, "web", "other")
	good := web("web", "a.example.org", "web").String()
	put(t, good, dir, "mine.yaml")
	s := w.launch(t)
	requests(t, s, "http://a.example.org/", "web")

	broken := strings.Replace(good, "spec:\n", "spec:\n\tingressClassName: tab\n", 1)
	put(t, broken, dir, "mine.yaml")
	line := 1 + strings.Count(broken[:strings.Index(broken, "\t")], "\n")
	logged(t, s, fmt.Sprintf("mine.yaml:%d", line))
	put(t, web("other", "b.example.org", "other").String(), dir, "other.yaml")
	becomes(t, s, "http://b.example.org/", "other")
	requests(t, s, "http://a.example.org/", "web")
	if n := lines(s.Log(), "mine.yaml:"); n != 1 {
		t.Errorf("the log names the broken file %d times, want once:\n%s", n, s.Log())
	}

	put(t, strings.Replace(good, "a.example.org", "c.example.org", 1), dir, "mine.yaml")
	becomes(t, s, "http://c.example.org/", "web")
	becomes(t, s, "http://a.example.org/", "404")
}

func TestKindsOfFiles(t *testing.T) {
	w := inFolder(t)
	dir := w.source.(*folder).dir
	apps(t, w, 81, "web")
	put(t, web("one", "one.example.org", "web").String()+web("two", "two.example.org", "web").String(), dir, "many.yml")
	put(t, web("deep", "deep.example.org", "web").String(), dir, "sub", "deeper", "file.yaml")
	put(t, `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"json"},"spec":{"ingressClassName":"nginx","rules":[
		{"host":"json.example.org","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"web","port":{"number":80}}}}]}}]}}]}`, dir, "list.json")
	put(t, web("hidden", "hidden.example.org", "web").String(), dir, ".hidden.yaml")
	put(t, web("text", "text.example.org", "web").String(), dir, "notes.txt")
	put(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n", dir, "deployment.yaml")
	s := w.launch(t)
	requests(t, s, "http://one.example.org/", "web", "http://two.example.org/", "web", "http://deep.example.org/", "web", "http://json.example.org/", "web",
		"http://hidden.example.org/", "404", "http://text.example.org/", "404")
	if n := lines(s.Log(), "Deployment"); n > 0 {
		t.Error("a Deployment among the manifests is complained about")
	}
	// A sub-folder that comes later is read, and its removal too.
	put(t, web("late", "late.example.org", "web").String(), dir, "late", "file.yaml")
	becomes(t, s, "http://late.example.org/", "web")
	if err := os.RemoveAll(filepath.Join(dir, "sub")); err != nil {
		t.Fatal(err)
	}
	becomes(t, s, "http://deep.example.org/", "404")
	requests(t, s, "http://late.example.org/", "web")
}

// A mounted ConfigMap changes by a swap of one symbolic link.
func TestTheSwapOfAMountedConfigMap(t *testing.T) {
	w := inFolder(t)
	dir := w.source.(*folder).dir
	apps(t, w, 82, "web")
	put(t, web("web", "one.example.org", "web").String(), dir, "mounted", "..2026_01", "web.yaml")
	link(t, "..2026_01", dir, "mounted", "..data")
	link(t, filepath.Join("..data", "web.yaml"), dir, "mounted", "web.yaml")
	s := w.launch(t)
	requests(t, s, "http://one.example.org/", "web")
	for i, host := range []string{"two.example.org", "three.example.org"} {
		version := []string{"..2026_02", "..2026_03"}[i]
		put(t, web("web", host, "web").String(), dir, "mounted", version, "web.yaml")
		link(t, version, dir, "mounted", "..data_tmp")
		if err := os.Rename(filepath.Join(dir, "mounted", "..data_tmp"), filepath.Join(dir, "mounted", "..data")); err != nil {
			t.Fatal(err)
		}
		becomes(t, s, "http://"+host+"/", "web")
		becomes(t, s, "http://one.example.org/", "404")
	}
}

func link(t *testing.T, target string, path ...string) {
	t.Helper()
	if err := os.Symlink(target, filepath.Join(path...)); err != nil {
		t.Fatal(err)
	}
}

// An Endpoints object is read as the slices that a cluster would make of it.
func TestEndpointsObjects(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 83, "web")
	w.Apply(t, "apiVersion: v1\nkind: Service\nmetadata: {name: old}\nspec: {ports: [{name: http, port: 80}]}\n---\n"+
		"apiVersion: v1\nkind: Endpoints\nmetadata: {name: old}\nsubsets:\n- {addresses: [{ip: 10.244.83.1}], notReadyAddresses: [{ip: 10.244.83.9}], ports: [{name: http, port: 8080}]}\n")
	w.Apply(t, web("web", "a.example.org", "old").String())
	s := w.launch(t)
	if got := spread(t, s, "http://a.example.org/", 6); got != "10.244.83.1" {
		t.Errorf("requests went to %s", got)
	}
}

// The same object twice: the first file by its path wins, and the other is told.
func TestAnObjectInTwoFiles(t *testing.T) {
	w := inFolder(t)
	dir := w.source.(*folder).dir
	apps(t, w, 84, "web")
	put(t, web("web", "a.example.org", "web").String(), dir, "a.yaml")
	put(t, web("web", "b.example.org", "web").String(), dir, "b.yaml")
	s := w.launch(t)
	requests(t, s, "http://a.example.org/", "web", "http://b.example.org/", "404")
	logged(t, s, "default/web", "a.yaml", "b.yaml")
	if err := os.Remove(filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	becomes(t, s, "http://b.example.org/", "web")
	becomes(t, s, "http://a.example.org/", "404")
}
