package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// A document is one object's text in a file, as JSON.
type document struct {
	line int // on which it begins, from 1
	json []byte
}

// A flaw is what is wrong with a file's text, and on which line.
type flaw struct {
	line   int
	reason string
}

// documents cuts a file into its documents. A flaw of one document leaves the
// others as they are; broken says that some text could not be read at all.
func documents(data []byte, isJSON bool) (all []document, flaws []flaw, broken bool) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for _, part := range split(data) {
		docs, f, ok := part.read(isJSON)
		all = append(all, docs...)
		flaws = append(flaws, f...)
		broken = broken || !ok
	}
	return all, flaws, broken
}

// A part is the text between two document markers.
type part struct {
	line int
	text []byte
}

// split cuts at the markers of YAML. What follows "---" on its line belongs to
// the document; "..." ends one.
func split(data []byte) []part {
	var parts []part
	now := part{line: 1}
	line := 0
	for text := range bytes.Lines(data) {
		line++
		switch {
		case isMarker(text, "---"):
			parts = append(parts, now)
			now = part{line: line, text: append([]byte("   "), text[3:]...)}
		case isMarker(text, "..."):
			parts = append(parts, now)
			now = part{line: line + 1}
		case text[0] == '%': // a directive: no value can begin so
			now.text = append(now.text, '\n')
		default:
			now.text = append(now.text, text...)
		}
	}
	return append(parts, now)
}

func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || strings.ContainsRune(" \t\r\n", rune(rest[0])))
}

// read turns a part into documents: none where it is empty, more than one only
// for JSON objects that follow each other.
func (p part) read(isJSON bool) (docs []document, flaws []flaw, ok bool) {
	text := bytes.TrimSpace(p.text)
	if isJSON || bytes.HasPrefix(text, []byte("{")) {
		docs, f := p.values()
		if f == nil {
			return docs, nil, true
		}
		if isJSON {
			return docs, []flaw{*f}, false
		}
	}
	return p.yaml()
}

// values reads JSON objects that follow each other.
func (p part) values() ([]document, *flaw) {
	var docs []document
	decoder := json.NewDecoder(bytes.NewReader(p.text))
	for {
		var value json.RawMessage
		before := decoder.InputOffset()
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			at := before
			if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
				at = syntax.Offset
			}
			return docs, &flaw{p.lineAt(at), "is not JSON: " + err.Error()}
		}
		begin := decoder.InputOffset() - int64(len(value))
		docs = append(docs, document{p.lineAt(begin), value})
	}
}

func (p part) lineAt(offset int64) int {
	offset = min(offset, int64(len(p.text)))
	return p.line + bytes.Count(p.text[:offset], []byte("\n"))
}

// yaml reads one YAML document. A key that stands there twice is a flaw, but
// the last one counts, as for the API server.
func (p part) yaml() (docs []document, flaws []flaw, ok bool) {
	out, strict := yaml.YAMLToJSONStrict(p.text)
	if strict != nil {
		flaws = p.flaws(strict)
		var err error
		if out, err = yaml.YAMLToJSON(p.text); err != nil {
			return nil, p.flaws(err), false
		}
	}
	if string(out) == "null" {
		return nil, flaws, true
	}
	return []document{{p.first(), out}}, flaws, true
}

// first is the line of the first text that is not a comment.
func (p part) first() int {
	line := p.line
	for text := range bytes.Lines(p.text) {
		if t := bytes.TrimSpace(text); len(t) > 0 && t[0] != '#' {
			return line
		}
		line++
	}
	return p.line
}

// flaws takes an error of the YAML parser apart. It counts lines from the
// beginning of the part.
func (p part) flaws(err error) []flaw {
	text := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	text = strings.TrimPrefix(text, "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:\n")
	position := regexp.MustCompile(`^line ([0-9]+): `)
	var all []flaw
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		f := flaw{p.first(), line}
		if m := position.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1]) // digits
			f = flaw{p.line + n - 1, strings.TrimPrefix(line, m[0])}
		}
		f.reason = "is not right as YAML: " + f.reason
		all = append(all, f)
	}
	return all
}
