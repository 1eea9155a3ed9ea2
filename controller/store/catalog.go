package store

import (
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// A catalog is the sum of some manifest files, by their names.
type catalog map[string]*file

// update puts a file in the place of the one of the same name. Where text of
// the new one could not be read, the objects that are no longer seen in it
// stay as they were: they may stand in that text.
func (c catalog) update(f *file) {
	if was := c[f.name]; was != nil && f.broken {
		seen := map[ref]bool{}
		for _, it := range f.items {
			seen[it.ref] = true
		}
		for _, it := range was.items {
			if !seen[it.ref] {
				f.items = append(f.items, it)
			}
		}
	}
	c[f.name] = f
}

// A view is what a catalog's files say together.
type view struct {
	objects  map[ref]metav1.Object
	problems map[string][]model.Problem // by file
}

// place is where an object was first seen.
type place struct {
	file string
	line int
}

// view puts the files together, in the order of their names: an object that is
// there twice counts where it comes first. Endpoints become slices, unless the
// Service has slices of its own.
func (c catalog) view() view {
	v := view{objects: map[ref]metav1.Object{}, problems: map[string][]model.Problem{}}
	first := map[ref]place{}
	hasSlices := map[Key]bool{}
	var mirrors []item
	for _, name := range slices.Sorted(maps.Keys(c)) {
		f := c[name]
		problems := slices.Clone(f.problems)
		for _, it := range f.items {
			if at, ok := first[it.ref]; ok {
				problems = append(problems, twice(it, name, at))
				continue
			}
			first[it.ref] = place{name, it.line}
			if it.ref.kind == endpoints {
				mirrors = append(mirrors, it)
				continue
			}
			v.objects[it.ref] = it.object
			if owner, ok := ownerOf(it.object); ok {
				hasSlices[owner] = true
			}
		}
		if len(problems) > 0 {
			v.problems[name] = problems
		}
	}
	for _, it := range mirrors {
		if !hasSlices[it.ref.key] {
			v.mirror(it)
		}
	}
	return v
}

func (v view) mirror(it item) {
	for _, s := range it.slices {
		if r, ok := refOf(s); ok {
			v.objects[r] = s
		}
	}
}

func twice(it item, name string, first place) model.Problem {
	o := it.ref.object()
	o.File, o.Line = name, it.line
	return model.Problem{Object: o, Reason: fmt.Sprintf("is also in %s:%d, which counts", first.file, first.line)}
}
