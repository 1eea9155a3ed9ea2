package image

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

const listed = "/usr/share/sallyport/sbom.cdx.json"

// What is listed is what CycloneDX says a list is.
func TestSBOMIsCycloneDX(t *testing.T) {
	// The schemas come with the library: its folder in the module cache.
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(strings.TrimSpace(string(out)), "schema")
	compiler := jsonschema.NewCompiler()
	for name, file := range map[string]string{
		"spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json", "bom-1.6.schema.json": "bom-1.6.schema.json",
	} {
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err == nil {
			err = compiler.AddResource("http://cyclonedx.org/schema/"+name, schema)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	schema, err := compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(cluster.Root() + listed)
	if err != nil {
		t.Fatal(err)
	}
	list, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = schema.Validate(list)
	}
	if err != nil {
		t.Error(err)
	}
}

// All that is in the tree is listed: each package that dpkg knows, and each module
// of the programs; and each component once.
func TestSBOMIsWhole(t *testing.T) {
	text, err := os.ReadFile(cluster.Root() + listed)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Components []struct {
			Name, Version string
			Licenses      []struct{ License struct{ ID, Name string } }
		}
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	have, licensed := map[string]bool{}, 0
	for _, c := range list.Components {
		key := c.Name + " " + c.Version
		if have[key] {
			t.Errorf("%s is there twice", key)
		}
		have[key] = true
		if len(c.Licenses) > 0 {
			licensed++
		}
	}
	said, err := inside("/usr/bin/dpkg-query", "--show", "--showformat=${Package} ${Version}\n")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(said) {
		want = append(want, strings.TrimSpace(line))
	}
	debian := len(want)
	for _, path := range []string{"/usr/bin/sallyport", cluster.ProxierInRoot} {
		info, err := buildinfo.ReadFile(cluster.Root() + path)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, "std "+strings.TrimPrefix(info.GoVersion, "go"))
		for _, m := range info.Deps {
			want = append(want, m.Path+" "+m.Version)
		}
	}
	for _, key := range want {
		if !have[key] {
			t.Errorf("%s is not listed", key)
		}
	}
	if debian < 80 || len(want) < debian+30 {
		t.Errorf("there are %d packages and modules, %d of them Debian's: this test sees nothing", len(want), debian)
	}
	// Not all of Debian's files on licences are for machines.
	if licensed < debian*8/10 {
		t.Errorf("%d components have a licence, of %d packages", licensed, debian)
	}
}
