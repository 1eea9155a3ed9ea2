// Package option turns the text of a setting, an annotation's or a ConfigMap
// key's, into a typed value, or into a problem that says what is wrong with it.
//
// It rejects and never repairs, and it knows neither nginx nor where a value
// goes: what a check accepts is a value of its type, nothing more.
package option

import (
	"fmt"
	"slices"
	"strings"
)

// A Key is one setting: its name, what it does, the value it has where nobody
// sets it, and what a value may be.
type Key[T any] struct {
	Name    string
	Doc     string // a sentence for users, with units
	Default T
	// DefaultDoc is what the reference says of the default where that is not
	// a value of its own, such as "as in the ConfigMap".
	DefaultDoc string
	Risk       Risk
	Check      Check[T]
}

// A Check turns text into a T. Values says in words what it accepts.
type Check[T any] struct {
	Values string
	Parse  func(string) (T, error)
	Format func(T) string // nil: fmt.Sprint
}

// Get is the value in r, or the default where r has none or a wrong one.
func (k Key[T]) Get(r *Reader) T {
	if v, ok := k.Lookup(r); ok {
		return v
	}
	return k.Default
}

// Lookup is the value in r, and whether there is a right one. A wrong one is a
// problem of r's.
func (k Key[T]) Lookup(r *Reader) (T, bool) {
	var zero T
	text, ok := r.read(k.Name, k.doc)
	if !ok {
		return zero, false
	}
	if reason := r.refused(k.Risk, text); reason != "" {
		r.Reject(k.Name, reason)
		return zero, false
	}
	v, err := k.Check.Parse(text)
	if err != nil {
		r.Reject(k.Name, err.Error())
		return zero, false
	}
	return v, true
}

func (k Key[T]) doc() Doc {
	d := Doc{Name: k.Name, Text: k.Doc, Values: k.Check.Values, Default: k.DefaultDoc, Risk: k.Risk}
	if d.Default == "" {
		format := k.Check.Format
		if format == nil {
			format = func(v T) string { return fmt.Sprint(v) }
		}
		d.Default = format(k.Default)
	}
	return d
}

// A Doc is one entry of a reference page.
type Doc struct {
	Name, Text, Values, Default string
	Risk                        Risk
}

// A Problem is a key whose value is wrong, and why.
type Problem struct {
	Key, Reason string
	// Warning says that nothing is invalid: what is said has no effect, or
	// another one than its author may think.
	Warning bool
}

// A Reader holds the texts of one object's settings and notes which keys were
// asked for and what was wrong with them.
type Reader struct {
	values   map[string]string
	prefix   string
	asked    map[string]bool
	docs     []Doc
	problems []Problem
	policy   Policy
	held     bool // policy counts
}

// NewReader reads those values whose name starts with prefix; keys are named
// without it.
func NewReader(values map[string]string, prefix string) *Reader {
	return &Reader{values: values, prefix: prefix, asked: map[string]bool{}}
}

func (r *Reader) read(name string, doc func() Doc) (string, bool) {
	if !r.asked[name] {
		r.asked[name] = true
		if r.values == nil {
			r.docs = append(r.docs, doc())
		}
	}
	text, ok := r.values[r.prefix+name]
	text = strings.TrimSpace(text)
	return text, ok && text != ""
}

// Reject notes that the key's value is wrong.
func (r *Reader) Reject(name, reason string) {
	r.problems = append(r.problems, Problem{Key: r.prefix + name, Reason: reason})
}

// Warn notes that the key has no effect, or not the one that one may think.
func (r *Reader) Warn(name, reason string) {
	r.problems = append(r.problems, Problem{Key: r.prefix + name, Reason: reason, Warning: true})
}

// Problems are the wrong values met so far, in the order of asking.
func (r *Reader) Problems() []Problem { return r.problems }

// Unasked are the names, without the prefix, that the object has and nobody
// asked for, sorted.
func (r *Reader) Unasked() []string {
	var names []string
	for full := range r.values {
		name, ok := strings.CutPrefix(full, r.prefix)
		if ok && !r.asked[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Docs are the entries of all keys that read asks for: what is read is what is
// documented.
func Docs(read func(*Reader)) []Doc {
	r := NewReader(nil, "")
	read(r)
	return r.docs
}
