package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	kjson "sigs.k8s.io/json"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// An item is one object of a file.
type item struct {
	ref    ref
	object metav1.Object
	line   int
	slices []metav1.Object // what an Endpoints object is mirrored to
}

// A file is what was read from one manifest file.
type file struct {
	name     string
	items    []item
	problems []model.Problem
	broken   bool // there is text in it that could not be read
}

// decodeFile reads the objects of a manifest file. Kinds that the store has no
// use for are passed over.
func decodeFile(name string, data []byte) *file {
	f := &file{name: name}
	docs, flaws, broken := documents(data, filepath.Ext(name) == ".json")
	f.broken = broken
	for _, w := range flaws {
		f.complain(model.Object{Line: w.line}, "", w.reason)
	}
	for _, d := range docs {
		f.decode(d, head{})
	}
	return f
}

func (f *file) complain(o model.Object, field, reason string) {
	o.File = f.name
	f.problems = append(f.problems, model.Problem{Object: o, Field: field, Reason: reason})
}

// reject is complain for a document that yields no object.
func (f *file) reject(o model.Object, field, reason string) {
	f.broken = true
	f.complain(o, field, reason)
}

// A head is what says how the rest of a document is to be read.
type head struct {
	APIVersion string
	Kind       string
	Namespace  string
	Name       string
	Items      []json.RawMessage
	isList     bool
}

// headOf looks at the few fields without minding the types of the others.
func headOf(data []byte) (head, error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return head{}, errors.New("is not an object but a single value or a list")
	}
	text := func(m map[string]json.RawMessage, key string) (s string) {
		_ = json.Unmarshal(m[key], &s) // what is no text is told by the strict decoding
		return s
	}
	h := head{APIVersion: text(top, "apiVersion"), Kind: text(top, "kind")}
	var meta map[string]json.RawMessage
	_ = json.Unmarshal(top["metadata"], &meta)
	h.Namespace, h.Name = text(meta, "namespace"), text(meta, "name")
	if strings.HasSuffix(h.Kind, "List") && json.Unmarshal(top["items"], &h.Items) == nil {
		h.isList = true
	}
	return h, nil
}

func (h head) object(line int) model.Object {
	return model.Object{Kind: h.Kind, Namespace: h.Namespace, Name: h.Name, Line: line}
}

// decode reads a document. What it leaves out is taken from the list that it
// stands in.
func (f *file) decode(d document, list head) {
	h, err := headOf(d.json)
	if err != nil {
		f.reject(model.Object{Line: d.line}, "", err.Error())
		return
	}
	if h.Kind == "" && list.Kind != "" && list.Kind != "List" {
		h.Kind, h.APIVersion = strings.TrimSuffix(list.Kind, "List"), list.APIVersion
	}
	switch {
	case h.isList && list.isList:
		f.reject(h.object(d.line), "", "is a list in a list")
	case h.isList:
		for _, one := range h.Items {
			f.decode(document{d.line, one}, h)
		}
	case h.Kind == "":
		// kustomization.yaml may leave its kind out.
		if !strings.HasPrefix(strings.ToLower(filepath.Base(f.name)), "kustomization") {
			f.reject(h.object(d.line), "kind", "is missing: the document is no Kubernetes object")
		}
	case empty(kind(h.Kind)) == nil:
	case h.APIVersion != kind(h.Kind).version():
		if isOurs(h.APIVersion) {
			f.reject(h.object(d.line), "apiVersion",
				fmt.Sprintf("is %q; a %s is read as %q", h.APIVersion, h.Kind, kind(h.Kind).version()))
		}
	default:
		f.object(d, h)
	}
}

// object reads a document of a kind that the store keeps.
func (f *file) object(d document, h head) {
	o := empty(kind(h.Kind))
	strict, err := kjson.UnmarshalStrict(d.json, o)
	if err != nil {
		field, reason := explain(err)
		f.reject(h.object(d.line), field, reason)
		return
	}
	complain := func(field, reason string) { f.complain(h.object(d.line), field, reason) }
	for _, err := range strict {
		complain(explain(err))
	}
	setDefaults(o, complain)
	h.Namespace = o.GetNamespace()
	if field, reason := misnamed(o); reason != "" {
		f.reject(h.object(d.line), field, reason)
		return
	}
	r, _ := refOf(o) // true for what empty makes
	it := item{ref: r, object: o, line: d.line}
	if r.kind == endpoints {
		it.slices = mirror(o, complain)
	}
	_, _ = strip(o) // it cannot fail
	f.items = append(f.items, it)
}

// misnamed says why an API server would not take an object of this name. Ids
// are made of names, so none may hold what separates them.
func misnamed(o metav1.Object) (field, reason string) {
	name, namespace := o.GetName(), o.GetNamespace()
	switch {
	case name == "":
		return "metadata.name", "is missing"
	case len(validation.IsDNS1123Subdomain(name)) > 0:
		return "metadata.name", fmt.Sprintf("%q is no name for an object", name)
	case namespace != "" && len(validation.IsDNS1123Label(namespace)) > 0:
		return "metadata.namespace", fmt.Sprintf("%q is no name for a namespace", namespace)
	}
	return "", ""
}

// explain turns a decoder's error into a field and a reason.
func explain(err error) (field, reason string) {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return wrong.Field, fmt.Sprintf("is a %s where %s is expected", wrong.Value, wrong.Type)
	}
	var at kjson.FieldError
	if errors.As(err, &at) {
		if strings.HasPrefix(err.Error(), "duplicate") {
			return at.FieldPath(), "is there twice: the last one counts"
		}
		return at.FieldPath(), "is no field of this kind: it has no effect"
	}
	return "", "cannot be decoded: " + strings.TrimPrefix(err.Error(), "json: ")
}
