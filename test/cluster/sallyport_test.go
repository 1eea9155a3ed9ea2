package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A recorder is a T whose failures are looked at, and not suffered.
type recorder struct {
	*testing.T
	errors []string
	after  []func()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
func (r *recorder) Failed() bool     { return len(r.errors) > 0 }
func (r *recorder) Cleanup(f func()) { r.after = append(r.after, f) }

// A wrapper that can't see what a bad product leaves behind would prove nothing.
func TestStopSeesWhatIsLeftBehind(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   []string
	}{
		"nothing":      {"trap 'exit 0' TERM; while :; do sleep 0.01; done", nil},
		"a bad status": {"trap 'exit 3' TERM; while :; do sleep 0.01; done", []string{"exit status 3"}},
		"a file":       {"trap 'exit 0' TERM; touch $TMPDIR/left; while :; do sleep 0.01; done", []string{"left files behind"}},
		"an nginx": {`trap 'exit 0' TERM
bash -c "exec -a 'nginx: master process nginx -c $TMPDIR/nginx.conf' sleep 1000" & while :; do sleep 0.01; done`, []string{"left nginx behind"}},
	} {
		t.Run(name, func(t *testing.T) {
			script := filepath.Join(t.TempDir(), "product")
			text := "#!/bin/bash\necho started >&2\n" + c.script + "\n"
			if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv(binaryVariable, script)
			t.Setenv(brokenVariable, "")
			r := &recorder{T: t}
			s := Launch(r, Options{Unready: true})
			Eventually(t, "the script is up", func() error {
				if s.Log() == "" || name == "an nginx" && s.Master() == 0 || name == "a file" && len(files(t, s.Temp)) == 0 {
					return fmt.Errorf("it is not")
				}
				return nil
			})
			for _, f := range slices.Backward(r.after) {
				f()
			}
			if got := strings.Join(r.errors, "; "); len(r.errors) != len(c.want) || len(c.want) > 0 && !strings.Contains(got, c.want[0]) {
				t.Errorf("seen: %q, want %q", r.errors, c.want)
			}
		})
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}
