package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOrphans(t *testing.T) {
	proc := t.TempDir()
	stat := func(pid int, name, state string, parent, start int) {
		t.Helper()
		dir := filepath.Join(proc, fmt.Sprint(pid))
		text := fmt.Sprintf("%d (%s) %s %d%s %d 0 0\n", pid, name, state, parent, strings.Repeat(" 0", 17), start)
		err := os.MkdirAll(dir, 0o755)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "stat"), []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	stat(7, "nginx", "S", 1, 100)
	stat(8, "a) Z 1 (b", "S", 1, 100)
	stat(9, "grandchild", "Z", 7, 100)
	if got := deadChildren(proc, 1); len(got) != 0 {
		t.Errorf("%v are dead, and nobody is", got)
	}
	stat(10, "orphan", "Z", 1, 200)
	stat(11, "child of ours", "Z", 1, 200)
	first := deadChildren(proc, 1)
	stat(11, "another with its number", "Z", 1, 300)
	second := deadChildren(proc, 1)
	if len(first) != 2 || len(stillDead(nil, first)) != 0 {
		t.Errorf("at the first look %v are orphans, of %v", stillDead(nil, first), first)
	}
	if got := stillDead(first, second); len(got) != 1 || got[0] != 10 {
		t.Errorf("%v are orphans, want 10 alone", got)
	}
}
