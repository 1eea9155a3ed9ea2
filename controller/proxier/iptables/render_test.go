package iptables

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func text(t *testing.T, p *plan.Plan) string {
	t.Helper()
	var out bytes.Buffer
	if err := Render(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGolden(t *testing.T) {
	for name, p := range plans() {
		t.Run(name, func(t *testing.T) {
			got := text(t, p)
			if again := text(t, p); again != got {
				t.Error("the same plan gives another text:", cmp.Diff(got, again))
			}
			path := filepath.Join("testdata", name+".rules")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error("go test -run Golden -update rewrites it:", diff)
			}
		})
	}
}

// Both flavours of iptables-restore read what Render writes, and make of it
// what it says.
func TestRenderIsRead(t *testing.T) {
	eachFlavour(t, func(t *testing.T, flavour string) {
		for name, p := range plans() {
			four, six, _ := strings.Cut(text(t, p), "# ip6tables-restore")
			six = "#" + six
			run(t, four, "iptables-"+flavour+"-restore", "--noflush", "--test")
			run(t, six, "ip6tables-"+flavour+"-restore", "--noflush", "--test")
			b := backend(t, flavour)
			syncTo(t, b, p)
			heads, rules := 0, 0
			for _, c := range chains(t, flavour) {
				heads++
				rules += len(c)
			}
			// Jumps are rules of three chains of the kernel's own in each family.
			if want := strings.Count(four+six, "\n:"); want != heads-2*6 {
				t.Errorf("%s: %d chains were written, %d are there", name, want, heads-2*6)
			}
			if want := strings.Count(four+six, "\n-"); want != rules {
				t.Errorf("%s: %d rules were written, %d are there", name, want, rules)
			}
			if !intact(t, b) {
				t.Errorf("%s: not intact right after", name)
			}
			if !compares(t, b) {
				t.Errorf("%s: the tables do not compare", name)
			}
		}
	})
}
