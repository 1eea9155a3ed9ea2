package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A debianPackage is one that is installed.
type debianPackage struct {
	name, version, architecture string
	source, sourceVersion       string
	maintainer                  string
	licences                    []licence
}

// fields are what dpkg-query is asked for, in the order of debianPackage.
const fields = `${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${Maintainer}\n`

// debianPackages are those of a tree, by name.
func debianPackages(ctx context.Context, root string) ([]debianPackage, error) {
	said, err := exec.CommandContext(ctx, "dpkg-query", "--admindir="+filepath.Join(root, "var/lib/dpkg"), "--show", "--showformat="+fields).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("dpkg-query: %w", err)
	}
	packages, err := parsePackages(string(said))
	if err != nil {
		return nil, err
	}
	for i, p := range packages {
		// A package may share the file of another, by a link to its folder.
		text, err := os.ReadFile(filepath.Join(root, "usr/share/doc", p.name, "copyright"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		packages[i].licences = licencesIn(string(text))
	}
	return packages, nil
}

func parsePackages(said string) ([]debianPackage, error) {
	var packages []debianPackage
	for line := range strings.Lines(said) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 7 {
			return nil, fmt.Errorf("dpkg-query said %q", line)
		}
		if f[0] != "installed" {
			continue // its configuration alone is there
		}
		packages = append(packages, debianPackage{
			name: f[1], version: f[2], architecture: f[3], source: f[4], sourceVersion: f[5], maintainer: f[6],
		})
	}
	if len(packages) == 0 {
		return nil, errors.New("dpkg knows of no package: this is no tree of Debian")
	}
	return packages, nil
}
