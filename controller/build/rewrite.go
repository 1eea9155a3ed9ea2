package build

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// expressive says that an Ingress's paths are expressions.
func (c *claim) expressive() bool {
	v := &c.values.Rewrite
	return v.Regex || v.Target != "" && v.Target != option.ListOf("="+c.path)
}

// expressions makes those paths of a host expressions that are meant as such.
// One path of the host is enough for all of them, as ingress-nginx had it,
// unless its Ingress keeps that to itself.
func (t *task) expressions(h *host, fallback *claim) {
	all := false
	some := false
	for _, c := range slices.Concat(slices.Collect(maps.Values(h.slots)), h.refused) {
		if c.ingress != nil && !c.rest && c.expressive() {
			some = true
			all = all || !c.values.Rewrite.Own
		}
	}
	if !some {
		h.shut(model.MatchPrefix)
		return
	}
	old := h.slots
	h.slots = make(map[slot]*claim, len(old))
	for s, c := range old {
		switch {
		case c.rest || c.ingress == nil || !all && !c.expressive():
			if h.slots[s] == nil {
				h.slots[s] = c
			}
		default:
			t.expression(h, old, all, s, c)
		}
	}
	h.shut(model.MatchRegex)
	h.first = h.beforeExpressions()
	root := slot{model.MatchPrefix, "/"}
	if h.slots[root] == nil { // what no expression takes
		h.slots[root] = h.rest(fallback)
	}
}

// expression enters a claim as an expression. A path that means several slots
// is one expression, and an Exact path comes before a Prefix that is the same.
func (t *task) expression(h *host, old map[slot]*claim, all bool, s slot, c *claim) {
	if c.derived {
		return
	}
	exact := old[slot{model.MatchExact, c.path}]
	if s.match == model.MatchPrefix && exact != nil && exact != c && !exact.derived && exact.path == c.path && (all || exact.expressive()) {
		return
	}
	if _, err := option.Regex.Parse(c.path); err != nil {
		t.wrong(objectOf(c.ingress), "spec.rules", fmt.Sprintf("path %v, and paths of host %q are expressions; it is left out", err, h.name))
		t.refuse(h, c)
		return
	}
	h.slots[slot{model.MatchRegex, option.Anchored(c.path)}] = c
}

// beforeExpressions are those plain paths that nginx has to try before the host's
// expressions, which it would try first: those that say more than any expression
// that might match below them has for its literal beginning. So an Ingress that
// keeps its expressions to itself takes no other path of the host.
func (h *host) beforeExpressions() map[string]bool {
	var beginnings []string
	for s := range h.slots {
		if s.match == model.MatchRegex {
			beginnings = append(beginnings, option.Beginning(s.path))
		}
	}
	first := map[string]bool{}
	for s, c := range h.slots {
		path := strings.ToLower(strings.TrimSuffix(s.path, "/"))
		if s.match != model.MatchPrefix || c.rest || path == "" {
			continue
		}
		first[s.path] = !slices.ContainsFunc(beginnings, func(b string) bool { return b == path || strings.HasPrefix(b, path+"/") }) &&
			slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(path, b) })
	}
	return first
}

// rewrite is what an endpoint is asked for.
func (t *task) rewrite(s *site) {
	v := &s.values.Rewrite
	// An expression such as "/(.*)" takes requests of "/" too.
	if v.AppRoot == "" {
		v.AppRoot = t.result.Config.Settings.AppRoot
	}
	if v.AppRoot != "" && (s.claim.path == "/" || s.slot.match == model.MatchRegex && len(option.Beginning(s.slot.path)) <= 1) {
		s.route.AppRoot = v.AppRoot
		s.location.Phases.Rewrite = true
	}
	if s.slot.match != model.MatchRegex || v.Target == "" || !s.claim.expressive() {
		return
	}
	path, args := splitArguments(v.Target)
	s.route.Rewrite = model.Rewrite{Path: path, Args: args, Prefix: v.Prefix}
	s.location.Phases.Rewrite = true
}

// splitArguments parts a template at its first question mark.
func splitArguments(all option.List) (path, args option.List) {
	parts := all.All()
	for i, part := range parts {
		before, after, found := strings.Cut(part, "?")
		if part[0] != '=' || !found {
			continue
		}
		first := append(append([]string{}, parts[:i]...), before)
		rest := append([]string{"=" + after}, parts[i+1:]...)
		return listOfParts(first), listOfParts(rest)
	}
	return all, ""
}

// listOfParts leaves out literal texts that are empty.
func listOfParts(parts []string) option.List {
	for i, part := range parts {
		if part == "=" {
			parts[i] = ""
		}
	}
	return option.ListOf(parts...)
}

// redirects are those that an Ingress asks for, and how others are worded. It
// comes last: where Lua answers before the redirect to https does, that is Lua's
// too, so that nginx's own order is not in the way.
func (t *task) redirects(s *site) {
	v, settings := &s.values.Redirect, &t.result.Config.Settings
	if v.To != "" {
		s.route.Redirect = model.Redirect{Code: v.Code, To: v.To}
		s.location.Phases.Rewrite = true
	}
	if s.location.RedirectHTTPS != 0 && (v.To != "" || s.route.AppRoot != "" || s.route.CORS != (model.CORS{})) {
		s.route.HTTPS = model.ToHTTPS{Code: s.location.RedirectHTTPS, Keep: s.location.KeepTrailingSlash}
		s.location.RedirectHTTPS, s.location.KeepTrailingSlash = 0, false
	}
	s.location.Relative = differs(v.Relative, settings.RelativeRedirects)
	s.location.Port = differs(v.Port, settings.UsePortInRedirects)
	if v.From != "" || v.By != "" {
		s.location.ProxyRedirect = t.proxyRedirect(s)
	}
}

// differs is the switch, unset where it says what holds anyway.
func differs(v annotation.Tristate, usual bool) annotation.Tristate {
	if v == annotation.Unset || v.Or(usual) == usual {
		return annotation.Unset
	}
	return v
}

func (t *task) proxyRedirect(s *site) model.ProxyRedirect {
	v, settings := s.values.Redirect, &t.result.Config.Settings
	if v.From == "" {
		v.From = settings.ProxyRedirectFrom
	}
	if v.By == "" {
		v.By = settings.ProxyRedirectTo
	}
	switch {
	case v.From == "off" || v.From == "default":
		return model.ProxyRedirect{From: v.From}
	case v.By == "off" || v.By == "default" || v.By == "":
		t.problem(objectOf(s.claim.ingress), t.o.AnnotationsPrefix+"/proxy-redirect-from", "has no proxy-redirect-to beside it, and no effect")
		return model.ProxyRedirect{}
	}
	return model.ProxyRedirect{From: v.From, To: v.By}
}
