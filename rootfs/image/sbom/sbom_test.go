package main

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"strings"
	"testing"
)

func TestPackages(t *testing.T) {
	got, err := parsePackages("installed\tnginx\t1.26.3-3+deb13u10\tamd64\tnginx\t1.26.3-3+deb13u10\tDebian <a@example.org>\n" +
		"config-files\tgone\t1\tamd64\tgone\t1\tnobody\n")
	if err != nil || len(got) != 1 || got[0].name != "nginx" || got[0].maintainer != "Debian <a@example.org>" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, said := range []string{"", "config-files\tgone\t1\tamd64\tgone\t1\tnobody\n", "installed\tnginx\n"} {
		if got, err := parsePackages(said); err == nil {
			t.Errorf("%q: %+v, want an error", said, got)
		}
	}
}

func TestLicences(t *testing.T) {
	for text, want := range map[string]string{
		"": "[]",
		"This package is free.\nLicense: GPL-2\n": "[]",
		"Format: x\nLicense: GPL-2\n":             "[]", // of the whole, which is no file
		"Files: *\nLicense: GPL-2+\n The text.\n License: other\n\nFiles: a b\nCopyright: me\nLicense: Expat\n\nLicense: Artistic\n text\n": "[GPL-2.0-or-later MIT]",
		"Files: *\nLicense: GPL-2+\n\nFiles: x\nlicense: gpl-2+\n":                                                                          "[GPL-2.0-or-later]",
		"Files: *\nLicense: GPL-2+ with an exception\n":                                                                                     "['GPL-2+ with an exception']",
		"Files: *\nLicense:\n text\n":                                                                                                       "[]",
	} {
		got := []string{}
		for _, l := range licencesIn(text) {
			if l.name != "" {
				l.id = "'" + l.name + "'"
			}
			got = append(got, l.id)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%q: %v, want %s", text, got, want)
		}
	}
}

func TestModules(t *testing.T) {
	m, err := actual(&debug.Module{Path: "a", Version: "v1", Replace: &debug.Module{Path: "b", Version: "v2"}})
	if err != nil || m != (module{"b", "v2"}) {
		t.Errorf("replaced: %v, %v", m, err)
	}
	if m, err := actual(&debug.Module{Path: "a", Version: "v1", Replace: &debug.Module{Path: "../b"}}); err == nil {
		t.Errorf("replaced by a folder: %v, want an error", m)
	}
	if got := goVersion("go1.26.8 X:nothing"); got != "1.26.8" {
		t.Errorf("version of Go: %q", got)
	}
}

// The same tree gives the same bytes; characters that URLs are made of are no
// part of one.
func TestBill(t *testing.T) {
	debian := []debianPackage{{name: "libnginx-mod-http-lua", version: "1:0.10.28-2+b1", architecture: "amd64", source: "libnginx-mod-http-lua", sourceVersion: "1:0.10.28-2"}}
	built := []program{
		{path: "usr/bin/sallyport", sha256: strings.Repeat("0", 64), library: "1.26.8", modules: []module{{"golang.org/x/sys", "v0.1.0"}}},
		{path: "usr/bin/sallyport-proxier", sha256: strings.Repeat("1", 64), library: "1.26.8", modules: []module{{"golang.org/x/sys", "v0.1.0"}}},
	}
	one, err := encode(bill("v1", "13.2\n", debian, built))
	if err != nil {
		t.Fatal(err)
	}
	two, _ := encode(bill("v1", "13.2\n", debian, built))
	if !bytes.Equal(one, two) {
		t.Error("two lists of one tree differ")
	}
	for _, want := range []string{
		`"purl": "pkg:deb/debian/libnginx-mod-http-lua@1:0.10.28-2%2Bb1?arch=amd64&distro=debian-13.2&upstream=libnginx-mod-http-lua%401:0.10.28-2"`,
		`"purl": "pkg:golang/golang.org/x/sys@v0.1.0"`, `"purl": "pkg:golang/std@1.26.8"`,
	} {
		if n := strings.Count(string(one), want); n != 1 {
			t.Errorf("the list has %s %d times, want once:\n%s", want, n, one)
		}
	}
	if built[0].sha256 = strings.Repeat("2", 64); true {
		three, _ := encode(bill("v1", "13.2\n", debian, built))
		if serial(one) == serial(three) {
			t.Error("another program, and the same serial number")
		}
	}
}

func serial(list []byte) string {
	_, rest, _ := strings.Cut(string(list), `"serialNumber": "`)
	return rest[:45]
}
