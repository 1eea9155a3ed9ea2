package planner

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// maxProblems bounds what is told of one object, which anybody may have filled
// with thousands of mistakes.
const maxProblems = 5

// A report gathers the problems of one object after another.
type report struct {
	all    []model.Problem
	object model.Object
	first  int // in all, of this object
	more   int // that were not told
}

// on begins with an object.
func (r *report) on(o model.Object) {
	r.end()
	r.object, r.first = o, len(r.all)
}

// add adds a problem. The numbers in the field's name, each a %d, are given
// apart, so that it is spelled out only where it is told.
func (r *report) add(reason, field string, numbers ...int) {
	if len(r.all)-r.first >= maxProblems {
		r.more++
		return
	}
	for _, n := range numbers {
		field = strings.Replace(field, "%d", strconv.Itoa(n), 1)
	}
	problem := model.Problem{Object: r.object, Field: field, Reason: reason}
	// What is wrong in two families, or for each port, is told once.
	if !slices.Contains(r.all[r.first:], problem) {
		r.all = append(r.all, problem)
	}
}

// end counts what was not told of the object.
func (r *report) end() {
	if r.more > 0 {
		r.all = append(r.all, model.Problem{Object: r.object, Reason: fmt.Sprintf("has %d more problems such as these", r.more)})
	}
	r.more = 0
}

// reset forgets all, and keeps the room.
func (r *report) reset() { *r = report{all: r.all[:0]} }

// Problems are what is wrong with objects, sorted by object. The slice is not
// to be changed, and no Update changes it.
func (p *Planner) Problems() []model.Problem {
	if !p.stale {
		return p.problems
	}
	p.stale = false
	all := slices.Clone(p.node.trouble)
	for who := range maps.Keys(p.troubled) {
		all = append(all, who.trouble...)
	}
	// All problems of one object come from one service, in an order that means
	// something: that of its fields.
	slices.SortStableFunc(all, func(a, b model.Problem) int {
		return cmp.Or(cmp.Compare(a.Object.Kind, b.Object.Kind),
			cmp.Compare(a.Object.Namespace, b.Object.Namespace), cmp.Compare(a.Object.Name, b.Object.Name))
	})
	p.problems = all
	return all
}

// tell replaces what is wrong around a service.
func (p *Planner) tell(who *service, trouble []model.Problem) {
	if slices.Equal(who.trouble, trouble) {
		return
	}
	p.stale = true
	who.trouble = slices.Clone(trouble)
	if len(trouble) == 0 {
		delete(p.troubled, who)
		return
	}
	p.troubled[who] = true
}
