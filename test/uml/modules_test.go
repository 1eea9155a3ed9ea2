package uml

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestModulesComeAfterWhatTheyNeed(t *testing.T) {
	folder := t.TempDir()
	list := "net/ip_vs_rr.ko: net/ip_vs.ko net/nf_conntrack.ko lib/crc.ko\n" +
		"net/nf_tables.ko:\n" +
		"net/ip_vs_ftp.ko: net/ip_vs.ko\n" +
		"net/ip_vs.ko: net/nf_conntrack.ko lib/crc.ko\n" +
		"net/nf_conntrack.ko: lib/crc.ko\n" +
		"lib/crc.ko:\n"
	if err := os.WriteFile(filepath.Join(folder, "modules.dep"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := modulePaths(folder)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"lib/crc.ko", "net/nf_conntrack.ko", "net/ip_vs.ko", "net/ip_vs_rr.ko"}
	for i := range want {
		want[i] = filepath.Join(folder, want[i])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
}

func TestModuleListThatIsNone(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "modules.dep"), []byte("net/ip_vs.ko\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if paths, err := modulePaths(folder); err == nil {
		t.Errorf("got %v, want an error", paths)
	}
}
