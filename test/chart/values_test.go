package chart

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const chartFolder = "../../charts/sallyport"

// A value is one that values.yaml documents.
type value struct {
	path string
	doc  string
	enum []string
	node *yaml.Node
	open bool             // keys beside those that are documented are taken
	keys map[string]value // nil for what a user writes as a whole
}

// documented reads values.yaml: a map without a `# --` of its own is a group,
// all else is a value.
func documented(t *testing.T) value {
	t.Helper()
	text, err := os.ReadFile(chartFolder + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	v := value{node: file.Content[0], keys: map[string]value{}}
	v.group(t)
	return v
}

func (v value) group(t *testing.T) {
	t.Helper()
	for i := 0; i < len(v.node.Content); i += 2 {
		name, node := v.node.Content[i], v.node.Content[i+1]
		below := value{path: strings.TrimPrefix(v.path+"."+name.Value, "."), node: node}
		comment := name.HeadComment
		if at := strings.LastIndex(comment, "\n\n"); at >= 0 {
			comment = comment[at+2:]
		}
		below.open = strings.Contains(comment, "@open")
		if doc, ok := strings.CutPrefix(comment, "# -- "); ok {
			doc, enum, _ := strings.Cut(strings.ReplaceAll(doc, "\n# ", " "), " @enum ")
			below.doc = strings.TrimSuffix(doc, ".")
			if enum != "" {
				below.enum = strings.Split(enum, ",")
			}
		} else if node.Kind == yaml.MappingNode {
			below.keys = map[string]value{}
			below.group(t)
		} else {
			t.Errorf("values.yaml: %s is not documented", below.path)
		}
		v.keys[name.Value] = below
	}
}

// leaves are the values, in order of their paths.
func (v value) leaves() []value {
	if v.keys == nil {
		return []value{v}
	}
	var all []value
	for _, below := range v.keys {
		all = append(all, below.leaves()...)
	}
	slices.SortFunc(all, func(a, b value) int { return cmp.Compare(a.path, b.path) })
	return all
}

// unmatched says whether the value is one of ingress-nginx's that does nothing.
func (v value) unmatched() bool { return strings.HasPrefix(v.doc, "Without counterpart") }

func (v value) fallback(t *testing.T) any {
	t.Helper()
	var text any
	if err := v.node.Decode(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// schema is what may be written there. Helm's users write numbers and text for
// each other, and null for a default that they don't want.
func (v value) schema(t *testing.T) map[string]any {
	t.Helper()
	if v.keys != nil {
		below := map[string]any{}
		for name, one := range v.keys {
			below[name] = one.schema(t)
		}
		return map[string]any{"type": []string{"object", "null"}, "properties": below, "additionalProperties": v.open}
	}
	s := map[string]any{"description": v.doc}
	if v.enum != nil {
		all := []any{nil}
		for _, one := range v.enum {
			all = append(all, one)
		}
		s["enum"] = all
		return s
	}
	switch f := v.fallback(t).(type) {
	case bool:
		s["type"] = []string{"boolean", "null"}
	case int:
		s["type"], s["pattern"] = []string{"integer", "string", "null"}, "^[0-9]*%?$"
	case string:
		s["type"] = []string{"string", "number", "boolean", "null"}
		if v.path == "controller.hostname" {
			s["type"] = []string{"string", "object", "null"}
		}
	case []any:
		s["type"] = []string{"array", "null"}
	case map[string]any:
		s["type"] = []string{"object", "null"}
	default:
		t.Errorf("values.yaml: %s: %T", v.path, f)
	}
	return s
}

func (v value) row(t *testing.T) string {
	t.Helper()
	text, err := yaml.Marshal(plain(v.fallback(t)))
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.TrimSpace(string(text))
	if strings.Contains(shown, "\n") || strings.Contains(shown, "|") {
		shown = flow(t, v.node)
	}
	return fmt.Sprintf("| `%s` | `%s` | %s |\n", v.path, shown, strings.ReplaceAll(v.doc, "|", "\\|"))
}

func plain(v any) any {
	if v == "" {
		return yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle, Tag: "!!str"}
	}
	return v
}

// flow is a value in one line.
func flow(t *testing.T, n *yaml.Node) string {
	t.Helper()
	clone := *n
	clone.Style, clone.HeadComment = yaml.FlowStyle, ""
	text, err := yaml.Marshal(&clone)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(text)), " ")
}
