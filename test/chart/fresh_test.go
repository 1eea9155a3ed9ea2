package chart

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files that are made from values.yaml")

// The README's table and the schema are what values.yaml says.
func TestFresh(t *testing.T) {
	all := documented(t)
	for _, file := range []struct{ path, content string }{
		{chartFolder + "/README.md", readme(t, all)},
		{chartFolder + "/values.schema.json", schemaText(t, all)},
	} {
		if *update {
			if err := os.WriteFile(file.path, []byte(file.content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file.path); err != nil || string(got) != file.content {
			t.Errorf("%s is not what values.yaml says (%v): run `make docs`", file.path, err)
		}
	}
}

func schemaText(t *testing.T, all value) string {
	t.Helper()
	s := all.schema(t)
	s["$schema"] = "http://json-schema.org/draft-07/schema#"
	s["title"] = "values of the chart sallyport"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func readme(t *testing.T, all value) string {
	t.Helper()
	text, err := os.ReadFile("readme.md.txt")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("<!-- Written by `make docs` from values.yaml and test/chart/readme.md.txt. -->\n\n")
	b.Write(text)
	b.WriteString("\n## Values\n\n| value | default | |\n|---|---|---|\n")
	var unmatched strings.Builder
	for _, v := range all.leaves() {
		if v.unmatched() {
			unmatched.WriteString(v.row(t))
			continue
		}
		b.WriteString(v.row(t))
	}
	b.WriteString("\n## Values of ingress-nginx without a counterpart\n\nThey are taken. The notes of an installation name those that were set.\n\n| value | default | |\n|---|---|---|\n")
	b.WriteString(strings.ReplaceAll(unmatched.String(), "| Without counterpart", "| "))
	return strings.ReplaceAll(b.String(), "| : ", "| ")
}
