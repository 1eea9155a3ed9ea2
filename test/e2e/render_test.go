package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// Render shows the nginx.conf and the problems, and starts nothing.
func TestRender(t *testing.T) {
	dir := t.TempDir()
	put(t, nginxClass, dir, "class.yaml")
	put(t, service("web", "10.244.103.1")+web("web", "a.example.org", "web").String()+web("bad", "b.example.org", "missing").String(), dir, "web.yaml")
	put(t, "kind: Ingress\n\tx", dir, "broken.yaml")
	out, errs, code := cluster.Command(t, "", "render", dir)
	if code != 0 {
		t.Errorf("render ended with %d: %s", code, errs)
	}
	for _, want := range []string{"server_name", "a.example.org", "proxy_pass"} {
		if !strings.Contains(out, want) {
			t.Errorf("the nginx.conf has no %s", want)
		}
	}
	if strings.Contains(out, "10.244.103.1") {
		t.Error("the nginx.conf has endpoints, which are data")
	}
	for _, want := range [][]string{{"default/bad", "missing"}, {"broken.yaml:2"}} {
		if lines(errs, want...) != 1 {
			t.Errorf("%d problems with %q, want 1, in:\n%s", lines(errs, want...), want, errs)
		}
	}

	manifests, err := os.ReadFile(filepath.Join(dir, "web.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	piped, _, code := cluster.Command(t, string(manifests)+"---\n"+nginxClass, "render", "-")
	if code != 0 || !strings.Contains(piped, "a.example.org") {
		t.Errorf("from standard input: status %d, %d bytes", code, len(piped))
	}
	if again, _, _ := cluster.Command(t, "", "render", dir); again != out {
		t.Error("the same files give another nginx.conf")
	}
}

func TestRenderOfWhatIsNotThere(t *testing.T) {
	for _, args := range [][]string{{"render"}, {"render", "--no-such-flag", "-"}, {"no-such-command"}} {
		if _, errs, code := cluster.Command(t, "", args...); code != 2 || errs == "" {
			t.Errorf("%v: ended with %d and said %q, want 2 and a reason", args, code, errs)
		}
	}
	if _, errs, code := cluster.Command(t, "", "render", "/nowhere"); !strings.Contains(errs, "/nowhere") {
		t.Errorf("a file that isn't there: ended with %d and said %q", code, errs)
	}
}
