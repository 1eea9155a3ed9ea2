// Package image turns a Debian into the tree of the image: by rootfs/Dockerfile, or
// by `make rootfs` where there is no engine. This test holds that the two can't
// drift apart.
//
// It may not run either: test/image runs what came out.
package image

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// read gives the lines of a file that are no comments, with continued ones joined.
func read(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

// found gives the first group of each match, in order.
func found(pattern string, lines []string) []string {
	var all []string
	for _, line := range lines {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(line, -1) {
			all = append(all, m[1])
		}
	}
	return all
}

func TestBothRunTheSameSteps(t *testing.T) {
	want := []string{"install", "finish", "strip", "sbom"}
	if got := found(`^RUN \["/image/(\w+)"`, read(t, "../Dockerfile")); !slices.Equal(got, want) {
		t.Errorf("the Dockerfile runs %v, want %v", got, want)
	}
	if got := found(`^(?:step |quietly "\$bin/)(\w+)`, read(t, "build")); !slices.Equal(got, want) {
		t.Errorf("build runs %v, want %v", got, want)
	}
}

// What only steps may do, and what only lists may name.
func TestNeitherHasWaysOfItsOwn(t *testing.T) {
	names := append(read(t, "packages"), read(t, "unneeded")...)
	// A folder of ours has the name.
	names = slices.DeleteFunc(names, func(name string) bool { return name == "nginx" })
	for _, path := range []string{"../Dockerfile", "build"} {
		for _, line := range read(t, path) {
			for _, word := range append([]string{"apt-get", "dpkg", "setcap", "useradd", "chmod"}, names...) {
				if slices.Contains(strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(` "'/=[],;&|`, r) }), word) {
					t.Errorf("%s has %s in %q: put it into a step or a list, for both", path, word, line)
				}
			}
		}
	}
}

func TestBothTakeAllThatStepsRead(t *testing.T) {
	files, err := filepath.Glob("*")
	if err != nil {
		t.Fatal(err)
	}
	docker := strings.Join(read(t, "../Dockerfile"), "\n")
	build := strings.Join(read(t, "build"), "\n")
	copied := regexp.MustCompile(`cp "\$here"/\{([^}]*)\}`).FindStringSubmatch(build)
	if copied == nil {
		t.Fatal("build copies nothing: this test sees nothing")
	}
	for _, file := range files {
		if file == "build" || file == "sbom" || strings.HasSuffix(file, ".go") {
			continue
		}
		if !regexp.MustCompile(`COPY [^\n]*rootfs/image/` + file + `\b`).MatchString(docker) {
			t.Errorf("the Dockerfile does not copy %s", file)
		}
		if !slices.Contains(strings.Split(copied[1], ","), file) {
			t.Errorf("build does not copy %s", file)
		}
	}
	kept := read(t, "../Dockerfile.dockerignore")
	for _, source := range found(`^COPY ([\w./]+)`, read(t, "../Dockerfile")) {
		if top, _, _ := strings.Cut(source, "/"); !slices.Contains(kept, "!"+top) {
			t.Errorf("the Dockerfile copies %s, which its .dockerignore keeps from the builder", source)
		}
	}
}

var packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]+$`)

func TestLists(t *testing.T) {
	packages, unneeded := read(t, "packages"), read(t, "unneeded")
	for i, name := range append(packages, unneeded...) {
		if !packageName.MatchString(name) {
			t.Errorf("%q is no name of a package", name)
		}
		if i < len(packages) && slices.Contains(unneeded, name) {
			t.Errorf("%s is installed and then taken away", name)
		}
	}
	if slices.Contains(packages, "luajit") {
		t.Error("the package luajit takes nginx's Lua module away")
	}
}

// The image starts the controller itself, and nobody in it is root.
func TestHowTheImageStarts(t *testing.T) {
	lines := read(t, "../Dockerfile")
	for _, want := range []string{`ENTRYPOINT ["/usr/bin/sallyport"]`, "USER 101:101", "FROM scratch"} {
		if !slices.Contains(lines, want) {
			t.Errorf("the Dockerfile has no line %s", want)
		}
	}
	for _, label := range []string{"title", "source", "licenses", "version", "revision"} {
		if !strings.Contains(strings.Join(lines, "\n"), "org.opencontainers.image."+label+"=") {
			t.Errorf("the Dockerfile has no label %s", label)
		}
	}
}

// A folder that is somebody's is left alone.
func TestBuildRefusesFoldersOfOthers(t *testing.T) {
	mine := t.TempDir()
	kept := filepath.Join(mine, "kept")
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("./build", mine, t.TempDir()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "holds something else") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
}
