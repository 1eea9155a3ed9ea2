package build

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// refuse notes a path that can't be served. Where its Ingress restricts access,
// the requests that it was to have may not go to a shorter path, which may not
// restrict it.
func (t *task) refuse(h *host, c *claim) {
	s := &t.result.Config.Settings
	restricted := c.values.Restricts || s.AllowRanges != "" || s.DenyRanges != "" || s.GlobalAuth.URL.Scheme != "" && !c.values.Auth.NotGlobal
	begins := c.beginning()
	if !restricted || begins == "" {
		return
	}
	t.problem(objectOf(c.ingress), "spec.rules", fmt.Sprintf("path %.80q can't be served, and its Ingress restricts access: "+
		"what begins with %.80q on host %q, and no other path that says more takes, answers 503", c.path, begins, h.name))
	h.refused = append(h.refused, c)
}

// shut answers 503 where a refused path might have matched, as far as can be told
// of one that may be no expression at all: to all that has its literal beginning,
// and before what is shorter than it.
func (h *host) shut(match model.Match) {
	for _, c := range h.refused {
		s := slot{match, c.beginning()}
		if match == model.MatchRegex {
			s.path = "^" + regexp.QuoteMeta(s.path)
		}
		if old := h.slots[s]; old != nil && old.rank >= len(c.path) {
			continue
		}
		closed := &claim{ingress: c.ingress, path: c.path, answer: 503, derived: true, rank: len(option.Anchored(c.path))}
		if match == model.MatchRegex {
			h.slots[s] = closed
		} else {
			h.claim(s, closed)
		}
	}
}

// maxBeginning keeps a beginning within one word of nginx's, quoted twice.
const maxBeginning = 500

// beginning is what all requests begin with that the claim's path may mean. ""
// where it means none: a path that is no expression and begins with no slash.
func (c *claim) beginning() string {
	path := c.path
	if i := strings.IndexFunc(path, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\uFFFD' }); i >= 0 {
		path = path[:i]
	}
	if c.expressive() {
		path = option.Beginning(option.Anchored(path))
		if path == "" {
			path = "/"
		}
	}
	if !strings.HasPrefix(path, "/") {
		return ""
	}
	return strings.TrimRight(strings.ToValidUTF8(path[:min(len(path), maxBeginning)], ""), `\`)
}
