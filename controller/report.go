package controller

import (
	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/model"
)

// reported is what was said of problems so far.
type reported struct {
	settled  bool // there was an answer for all that the last build wants
	of       *build.Result
	built    *build.Result // that the observer was told of
	problems map[model.Problem]bool
}

// report logs the problems that are new, once each, and hands all of them on.
// It waits until the store has answers for all that is wanted: a Secret that
// was not asked for yet is not missing.
func (c *Controller) report() {
	r := &c.reported
	if !r.settled || c.result == nil || r.of == c.result {
		return
	}
	r.of = c.result
	if r.built != c.result {
		r.built = c.result
		c.o.Observer.Built(c.result, c.builder.Refused())
	}
	now := make(map[model.Problem]bool, len(c.result.Problems))
	for _, p := range c.result.Problems {
		now[p] = true
		if !r.problems[p] {
			c.log.Warn("problem", "object", p.Object.String(), "field", p.Field, "reason", p.Reason)
		}
	}
	r.problems = now
	if c.o.Report != nil {
		c.o.Report(c.result.Ingresses, c.result.Problems)
	}
}
