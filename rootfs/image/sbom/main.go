// Sbom turns a tree of the image into the list of what is in it: Debian's packages
// as dpkg knows them, and the Go modules that our programs say they are made of.
// The list is CycloneDX in JSON, and goes into the tree.
//
// It asks no network, and the same tree gives the same bytes.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
)

// version is that of our programs; it is set by the build.
var version = "dev"

// Where the list is in the tree, and of what.
const place = "usr/share/sallyport/sbom.cdx.json"

var programs = []string{"usr/bin/sallyport", "usr/bin/sallyport-proxier"}

func main() {
	root := pflag.String("root", "/", "the tree")
	pflag.Parse()
	if err := run(context.Background(), *root); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root string) error {
	debian, err := debianPackages(ctx, root)
	if err != nil {
		return err
	}
	var built []program
	for _, path := range programs {
		p, err := readProgram(root, path)
		if err != nil {
			return err
		}
		built = append(built, p)
	}
	release, err := os.ReadFile(filepath.Join(root, "etc/debian_version"))
	if err != nil {
		return err
	}
	text, err := encode(bill(version, string(release), debian, built))
	if err != nil {
		return err
	}
	out := filepath.Join(root, place)
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(out, text, 0o644)
}
