package nginx

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"pault.ag/go/debian/version"
)

// A Flaw is a known vulnerability of nginx that an Ingress controller's nginx
// can have: of modules that it uses, or that users can make it use.
type Flaw struct {
	CVE, What string
	Since     [3]int   // the first version that has it
	Mended    [][3]int // the first that doesn't, of each branch; the newest first
	// Packages are Debian's first versions that don't have it, one of each
	// release that has had it.
	Packages []string
}

// Package is the version of the Debian package that an nginx binary is of, "" where
// it is of none. It reads what dpkg wrote below a root folder: images have the
// list of packages, and often no dpkg.
func Package(root, binary string) string {
	path, err := exec.LookPath(binary)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return ""
	}
	owner := "nginx" // which has /usr/sbin/nginx
	if path != "/usr/sbin/nginx" {
		if owner = ownerOf(root, path); owner == "" {
			return ""
		}
	}
	status, err := os.ReadFile(filepath.Join(root, "var/lib/dpkg/status"))
	if err != nil {
		return ""
	}
	return versionIn(string(status), owner)
}

// ownerOf is the package that has a file.
func ownerOf(root, path string) string {
	lists, _ := filepath.Glob(filepath.Join(root, "var/lib/dpkg/info/*.list")) // the pattern is well-formed
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err == nil && slices.Contains(strings.Split(string(text), "\n"), path) {
			name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(list), ".list"), ":")
			return name
		}
	}
	return ""
}

// versionIn is the version of a package that is installed.
func versionIn(status, name string) string {
	for part := range strings.SplitSeq(status, "\n\n") {
		lines := strings.Split(part, "\n")
		if !slices.Contains(lines, "Package: "+name) || !slices.Contains(lines, "Status: install ok installed") {
			continue
		}
		for _, line := range lines {
			if version, ok := strings.CutPrefix(line, "Version: "); ok {
				return version
			}
		}
	}
	return ""
}

// Flaws are those that a version of nginx has, where it is of a package with that
// version: "" for none. Debian's backports count. Unsure says that it is of
// another distribution that has backports, which nobody here knows. A package of
// another version than the binary's is not what runs.
func Flaws(v [3]int, pkg string) (has []Flaw, unsure bool) {
	if !strings.HasPrefix(pkg, fmt.Sprintf("%d.%d.%d-", v[0], v[1], v[2])) {
		pkg = ""
	}
	return flawsOf(known, v, pkg)
}

func flawsOf(all []Flaw, v [3]int, pkg string) (has []Flaw, unsure bool) {
	for _, f := range all {
		if f.in(v, pkg) {
			has = append(has, f)
		}
	}
	return has, pkg != "" && !debians(pkg) && !upstreams(pkg)
}

func (f Flaw) in(v [3]int, pkg string) bool {
	for _, mended := range f.Packages {
		if sameRelease(pkg, mended) {
			return older(pkg, mended)
		}
	}
	if slices.Compare(v[:], f.Since[:]) < 0 || slices.Compare(v[:], f.Mended[0][:]) >= 0 {
		return false
	}
	return !slices.ContainsFunc(f.Mended, func(m [3]int) bool {
		return slices.Equal(v[:2], m[:2]) && v[2] >= m[2]
	})
}

// debians says whether a package's version is Debian's, as in 1.26.3-3+deb13u11
// and 1.26.3-3; upstreams whether nginx itself made it, as in 1.28.0-1~trixie.
func debians(pkg string) bool {
	_, revision, ok := strings.Cut(pkg, "-")
	return ok && (release(pkg) != "" || strings.Trim(revision, "0123456789") == "")
}

func upstreams(pkg string) bool {
	_, revision, _ := strings.Cut(pkg, "-")
	number, name, ok := strings.Cut(revision, "~")
	return ok && strings.Trim(number, "0123456789") == "" && !strings.Contains(name, "ubuntu") && !strings.Contains(name, "bpo")
}

// release is "deb13" in 1.26.3-3+deb13u11.
func release(pkg string) string {
	_, after, ok := strings.Cut(pkg, "+deb")
	number, _, updated := strings.Cut(after, "u")
	if !ok || !updated {
		return ""
	}
	return "deb" + number
}

// sameRelease also takes the package that a release began with, which has no
// update in its version.
func sameRelease(pkg, mended string) bool {
	base, _, _ := strings.Cut(mended, "+deb")
	return pkg == base || release(pkg) == release(mended) && strings.HasPrefix(pkg, base+"+")
}

func older(pkg, mended string) bool {
	a, err1 := version.Parse(pkg)
	b, err2 := version.Parse(mended)
	return err1 == nil && err2 == nil && version.Compare(a, b) < 0
}
