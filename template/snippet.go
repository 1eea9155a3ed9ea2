package template

import (
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// kinds are directives whose list in a block takes the place of the whole list
// of the block around it.
var kinds = []string{"add_header", "proxy_set_header", "proxy_hide_header"}

// inherited are the lines of such directives in the http block.
func inherited(head string) []string {
	var lines []string
	for line := range strings.SplitSeq(head, "\n") {
		directive, ok := strings.CutPrefix(line, "    ")
		if kind, _, _ := strings.Cut(directive, " "); ok && slices.Contains(kinds, kind) {
			lines = append(lines, directive)
		}
	}
	return lines
}

// below is what a snippet's block says: of each kind that it has any of, what
// it would undo of the block around it, and then its own.
func below(around []string, snippet option.List) ([]string, error) {
	mine, err := directives(snippet)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, line := range around {
		kind, name := target(line)
		same := func(own string) bool { k, n := target(own); return k == kind && n == name }
		anyOf := func(own string) bool { k, _ := target(own); return k == kind }
		if slices.ContainsFunc(mine, anyOf) && !slices.ContainsFunc(mine, same) {
			lines = append(lines, line)
		}
	}
	return append(lines, mine...), nil
}

// target is a directive's kind and the header that it is about.
func target(line string) (kind, header string) {
	words := strings.SplitN(strings.TrimSuffix(line, ";"), " ", 3)
	if len(words) < 2 || !slices.Contains(kinds, words[0]) {
		return "", ""
	}
	return words[0], strings.ToLower(words[1])
}

var blockMarks = map[string]string{annotation.BlockOpen: "{", annotation.BlockClose: "}"}

// directives writes a snippet, a line for each directive.
func directives(snippet option.List) ([]string, error) {
	var lines []string
	for _, words := range annotation.Directives(snippet) {
		var b strings.Builder
		last := len(words) - 1
		for i, word := range words {
			if mark, ok := blockMarks[word]; ok {
				b.WriteString(mark)
				break
			}
			text, err := quote(word)
			if err != nil {
				return nil, err
			}
			b.WriteString(text)
			if i < last {
				b.WriteByte(' ')
			} else {
				b.WriteByte(';')
			}
		}
		lines = append(lines, b.String())
	}
	return lines, nil
}

// indented are directives with what is in a block further in than what opens it.
func indented(snippet option.List) ([]string, error) {
	lines, err := directives(snippet)
	depth := 0
	for i, line := range lines {
		if line == "}" {
			depth--
		}
		lines[i] = strings.Repeat("    ", depth) + line
		if strings.HasSuffix(line, "{") {
			depth++
		}
	}
	return lines, err
}

// joined are the directives of a snippet, and of the ConfigMap's those that
// nginx does not take just once, or that the snippet does not have.
func joined(snippet, general option.List) option.List {
	said := annotation.Once(snippet)
	all := snippet.All()
	for _, line := range general.All() {
		if name, _, _ := strings.Cut(line, "\x1f"); !slices.Contains(said, name) {
			all = append(all, line)
		}
	}
	return option.ListOf(all...)
}

// ofServer is the snippet of a server and that of all servers.
func (f *frame) ofServer(s model.Server) option.List { return joined(s.Snippet, f.ServerSnippet) }

// Directives are those of the server's snippet.
func (v serverView) Directives() ([]string, error) {
	return below(v.Inherited, v.ofServer(v.Server))
}

// Directives are those of the location's snippet.
func (v locationView) Directives() ([]string, error) {
	snippet := joined(v.Snippet, v.LocationSnippet)
	if snippet == "" {
		return nil, nil
	}
	of := v.ofServer(v.Server)
	server, err := directives(of)
	if err != nil {
		return nil, err
	}
	around, err := below(v.Inherited, of)
	if err != nil {
		return nil, err
	}
	for _, line := range v.Inherited {
		kind, _ := target(line)
		if !slices.ContainsFunc(server, func(s string) bool { k, _ := target(s); return k == kind }) {
			around = append(around, line) // the server leaves this kind alone
		}
	}
	return below(around, snippet)
}
