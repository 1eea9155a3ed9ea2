package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The reference pages are what `make docs` writes now.
func TestDocsAreFresh(t *testing.T) {
	for path, want := range pages() {
		got, err := os.ReadFile(filepath.Join("../..", path))
		if err != nil || string(got) != want {
			t.Errorf("%s is not what the keys say (%v): run `make docs`", path, err)
		}
	}
}
