package nginx

import (
	"slices"
	"strings"
	"testing"
)

func cves(flaws []Flaw) string {
	var all []string
	for _, f := range flaws {
		all = append(all, f.CVE)
	}
	return strings.Join(all, " ")
}

func TestFlaws(t *testing.T) {
	flaws := []Flaw{
		{CVE: "both", Since: [3]int{1, 9, 5}, Mended: [][3]int{{1, 31, 9}, {1, 30, 7}}, Packages: []string{"1.22.1-9+deb12u11", "1.26.3-3+deb13u11"}},
		{CVE: "late", Since: [3]int{1, 25, 0}, Mended: [][3]int{{1, 31, 7}, {1, 30, 6}}, Packages: []string{"1.26.3-3+deb13u10"}},
	}
	for _, c := range []struct {
		v      [3]int
		pkg    string
		want   string
		unsure bool
	}{
		// nginx's own versions: before, at and after each bound.
		{v: [3]int{1, 9, 4}}, {v: [3]int{1, 9, 5}, want: "both"}, {v: [3]int{1, 24, 0}, want: "both"},
		{v: [3]int{1, 25, 0}, want: "both late"}, {v: [3]int{1, 30, 5}, want: "both late"}, {v: [3]int{1, 30, 6}, want: "both"}, {v: [3]int{1, 30, 7}},
		{v: [3]int{1, 31, 0}, want: "both late"}, {v: [3]int{1, 31, 7}, want: "both"}, {v: [3]int{1, 31, 8}, want: "both"}, {v: [3]int{1, 31, 9}},
		{v: [3]int{1, 31, 10}}, {v: [3]int{1, 32, 0}}, {v: [3]int{2, 0, 0}}, {v: [3]int{1, 30, 70}},
		// Debian's backports, whatever nginx's version says.
		{v: [3]int{1, 22, 1}, pkg: "1.22.1-9+deb12u11"}, {v: [3]int{1, 22, 1}, pkg: "1.22.1-9+deb12u12"}, {v: [3]int{1, 22, 1}, pkg: "1.22.1-9+deb12u100"},
		{v: [3]int{1, 22, 1}, pkg: "1.22.1-9+deb12u10", want: "both"}, {v: [3]int{1, 22, 1}, pkg: "1.22.1-9+deb12u2", want: "both"},
		{v: [3]int{1, 22, 1}, pkg: "1.22.1-9", want: "both"}, {v: [3]int{1, 22, 1}, want: "both"},
		{v: [3]int{1, 26, 3}, pkg: "1.26.3-3+deb13u11"}, {v: [3]int{1, 26, 3}, pkg: "1.26.3-3+deb13u10", want: "both"},
		{v: [3]int{1, 26, 3}, pkg: "1.26.3-3+deb13u9", want: "both late"}, {v: [3]int{1, 26, 3}, pkg: "1.26.3-3", want: "both late"},
		{v: [3]int{1, 26, 3}, pkg: "1.26.3-3+deb13u11+b1"},
		// A release that is not known is as old as nginx's version, as are nginx's own packages.
		{v: [3]int{1, 30, 7}, pkg: "1.30.7-1+deb14u1"}, {v: [3]int{1, 30, 0}, pkg: "1.30.0-1+deb14u1", want: "both late"},
		{v: [3]int{1, 30, 7}, pkg: "1.30.7-1~trixie"}, {v: [3]int{1, 28, 0}, pkg: "1.28.0-1~trixie", want: "both late"},
		// Others have backports that are not known here.
		{v: [3]int{1, 24, 0}, pkg: "1.24.0-2ubuntu7.5", want: "both", unsure: true}, {v: [3]int{1, 30, 7}, pkg: "1.30.7-0ubuntu1", unsure: true},
		{v: [3]int{1, 26, 3}, pkg: "rubbish", want: "both late", unsure: true},
	} {
		has, unsure := flawsOf(flaws, c.v, c.pkg)
		if got := cves(has); got != c.want || unsure != c.unsure {
			t.Errorf("nginx %v, package %q: has %q, unsure %v; want %q, %v", c.v, c.pkg, got, unsure, c.want, c.unsure)
		}
	}
}

// The table is one that can be read as it is meant.
func TestKnownFlaws(t *testing.T) {
	if has, _ := Flaws([3]int{1, 26, 3}, "1.26.3-3+deb13u11"); len(has) > 0 {
		t.Errorf("Debian 13's newest has %s", cves(has))
	}
	if has, _ := Flaws([3]int{1, 22, 1}, "1.22.1-9+deb12u11"); len(has) > 0 {
		t.Errorf("Debian 12's newest has %s", cves(has))
	}
	has, _ := Flaws([3]int{1, 26, 3}, "1.26.3-3+deb13u10")
	if got := cves(has); got != "CVE-2026-123007 CVE-2026-123633 CVE-2026-121810" {
		t.Errorf("Debian 13's newest but one has %s", got)
	}
	if has, _ := Flaws([3]int{1, 31, 9}, ""); len(has) > 0 {
		t.Errorf("nginx 1.31.9 has %s", cves(has))
	}
	for _, f := range known {
		descends := slices.IsSortedFunc(f.Mended, func(a, b [3]int) int { return slices.Compare(b[:], a[:]) })
		if !strings.HasPrefix(f.CVE, "CVE-") || f.What == "" || len(f.Mended) == 0 || !descends || slices.Compare(f.Since[:], f.Mended[len(f.Mended)-1][:]) >= 0 {
			t.Errorf("%s: since %v, mended in %v", f.CVE, f.Since, f.Mended)
		}
		for _, p := range f.Packages {
			if release(p) == "" {
				t.Errorf("%s: %q is not of a Debian release", f.CVE, p)
			}
		}
	}
}

// The nginx of this machine is of a package, as dpkg wrote down. One that took
// its place is of none.
func TestPackage(t *testing.T) {
	got := Package("/", "nginx")
	if !strings.Contains(got, "-") {
		t.Errorf("nginx is of package %q", got)
	}
	build, err := Inspect(t.Context(), "nginx")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got, build.VersionText+"-") {
		t.Errorf("nginx %s is of package %q", build.VersionText, got)
	}
	for _, none := range []string{"no-such-program", "/nowhere/nginx", "/proc/self/exe"} {
		if got := Package("/", none); got != "" {
			t.Errorf("%s is of package %q", none, got)
		}
	}
	if got := Package(t.TempDir(), "nginx"); got != "" {
		t.Errorf("without a list of packages nginx is of package %q", got)
	}
	if got := Package("/", "dpkg-query"); got == "" || strings.HasPrefix(got, build.VersionText+"-") {
		t.Errorf("dpkg-query is of package %q", got)
	}
	if _, unsure := Flaws([3]int{1, 20, 0}, "1.26.3-1ubuntu1"); unsure {
		t.Error("a package of another version counts")
	}
	has, _ := Flaws([3]int{1, 20, 0}, "1.22.1-9+deb12u11")
	if cves(has) == "" {
		t.Error("a binary that took the place of a package's is taken for it")
	}
}

func TestVersionOfAPackage(t *testing.T) {
	const status = "Package: nginx-common\nStatus: install ok installed\nVersion: 9-1\n\nPackage: nginx\nStatus: deinstall ok config-files\nVersion: 1-1\n\n" +
		"Package: nginx\nStatus: install ok installed\nArchitecture: amd64\nDescription: x\n Version: 7\nVersion: 1.26.3-3+deb13u11\n"
	for name, want := range map[string]string{"nginx": "1.26.3-3+deb13u11", "nginx-common": "9-1", "ngin": "", "": ""} {
		if got := versionIn(status, name); got != want {
			t.Errorf("%q has version %q, want %q", name, got, want)
		}
	}
}
