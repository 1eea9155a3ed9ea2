package l4

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/sallyport-ingress/sallyport/test/l4/lab"
)

var update = flag.Bool("update", false, "rewrite what testdata/*.txtar expect; then read the diff")

// TestGolden holds what each mode would program for an example, and which
// problems it has: each file has objects, perhaps flags, and what `plan` prints.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata/*.txtar: %v, %v", files, err)
	}
	here, err := lab.Here()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close() })
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { golden(t, here, path) })
	}
}

func golden(t *testing.T, here *lab.Namespace, path string) {
	t.Helper()
	was, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	is := txtar.Archive{Comment: was.Comment}
	args := []string{"plan", "--hostname-override=n1"}
	dir := t.TempDir()
	for _, f := range was.Files {
		switch f.Name {
		case "flags":
			args = append(args, strings.Fields(string(f.Data))...)
		case "objects.yaml":
			if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			continue
		}
		is.Files = append(is.Files, f)
	}
	args = append(args, "--manifests="+dir)
	var problems string
	for _, m := range []mode{nftables, iptables, ipvs, userspace} {
		code, out, bad := toEnd(t, here, append(args, "--proxy-mode="+string(m))...)
		if code != 0 {
			t.Errorf("%s: status %d: %s", m, code, bad)
		}
		if bad = strings.ReplaceAll(bad, dir+"/", ""); problems != "" && bad != problems {
			t.Errorf("%s: other problems than the mode before:\n%s\n%s", m, bad, problems)
		}
		problems = bad
		is.Files = append(is.Files, txtar.File{Name: string(m), Data: []byte(out)})
	}
	is.Files = append(is.Files, txtar.File{Name: "problems", Data: []byte(problems)})
	if *update {
		if err := os.WriteFile(path, txtar.Format(&is), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(txtar.Format(was)), string(txtar.Format(&is))); diff != "" {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", path, diff)
	}
}
