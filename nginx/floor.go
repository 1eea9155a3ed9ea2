package nginx

import (
	"context"
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

// Package is the Debian package that an nginx binary is of: the source version,
// "" where it is of none.
func Package(ctx context.Context, binary string) string {
	path, err := exec.LookPath(binary)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return ""
	}
	owner, err := exec.CommandContext(ctx, "dpkg-query", "-S", path).Output()
	name, _, ok := strings.Cut(string(owner), ":")
	if err != nil || !ok || strings.ContainsAny(name, ",\n ") {
		return ""
	}
	text, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f=${source:Version}", name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// Flaws are those that a version of nginx has, where it is of a package with that
// version: "" for none. Debian's backports count. Unsure says that it is of
// another distribution that has backports, which nobody here knows.
func Flaws(v [3]int, pkg string) (has []Flaw, unsure bool) {
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
