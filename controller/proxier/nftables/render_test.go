package nftables

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func TestGolden(t *testing.T) {
	for name, p := range examples() {
		t.Run(name, func(t *testing.T) {
			var got, again bytes.Buffer
			if err := Render(&got, p, Options{}); err != nil {
				t.Fatal(err)
			}
			if err := Render(&again, p, Options{}); err != nil || again.String() != got.String() {
				t.Fatalf("the second time it is another text (%v): %s", err, cmp.Diff(got.String(), again.String()))
			}
			file := filepath.Join("testdata", name+".nft")
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("go test -run Golden -update rewrites it, if this is right (-want +got):\n%s", diff)
			}
		})
	}
}
