package build

import (
	"fmt"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
)

// ingress enters one Ingress into its hosts.
func (t *task) ingress(current *networkingv1.Ingress) {
	ing, reason := t.quarantine.ingress(current)
	if reason != "" {
		t.problem(objectOf(current), "", reason)
	}
	if ing == nil {
		return
	}
	if t.o.DisableCatchAll && catchesAll(ing) {
		t.wrong(objectOf(ing), "spec", "takes the requests of all hosts, which --disable-catch-all forbids")
		return
	}
	values := t.annotationsOf(ing)
	if good := t.quarantine.good[keyOf(ing)]; values.Invalid && good != nil && good != ing {
		// One that was good before; its own problems were told then.
		t.problem(objectOf(ing), "", "has annotations that are invalid; its last good version stays in force")
		ing, values = good, t.annotationsOf(good)
	}
	if values.Snippet.Stream != "" {
		t.snippets = append(t.snippets, written{ing, values.Snippet.Stream})
	}
	fallback := t.fallback(ing, values)
	if fallback != nil && values.Canary.Enabled {
		t.problem(objectOf(ing), "spec.defaultBackend", "has no effect: a canary takes requests of paths alone")
		fallback = nil
	}
	if fallback != nil && len(ing.Spec.Rules) == 0 {
		h := t.host("")
		h.owned(keyOf(ing))
		t.fallbackOf(h, fallback)
	}
	for i, rule := range ing.Spec.Rules {
		t.rule(ing, values, fallback, rule, fmt.Sprintf("spec.rules[%d]", i))
	}
}

func catchesAll(ing *networkingv1.Ingress) bool {
	if len(ing.Spec.Rules) == 0 {
		return ing.Spec.DefaultBackend != nil
	}
	for _, rule := range ing.Spec.Rules {
		if rule.Host == "" {
			return true
		}
	}
	return false
}

// fallback is the Ingress's default backend.
func (t *task) fallback(ing *networkingv1.Ingress, values annotation.Values) *claim {
	if ing.Spec.DefaultBackend == nil {
		return nil
	}
	c := &claim{ingress: ing, values: values, path: "/"}
	t.point(c, *ing.Spec.DefaultBackend, "spec.defaultBackend")
	return c
}

// fallbackOf makes a default backend that of a host, unless an older Ingress's
// is.
func (t *task) fallbackOf(h *host, c *claim) {
	switch {
	case c == nil || h.fallback != nil && h.fallback.ingress == c.ingress:
	case h.fallback == nil:
		h.fallback = c
	default:
		t.problem(objectOf(c.ingress), "spec.defaultBackend", fmt.Sprintf("host %q has that of Ingress %s already%s", h.name, name(h.fallback.ingress), t.older()))
	}
}

func (t *task) rule(ing *networkingv1.Ingress, values annotation.Values, fallback *claim, rule networkingv1.IngressRule, field string) {
	name, err := parseHost(rule.Host)
	if err != nil {
		t.wrong(objectOf(ing), field+".host", err.Error())
		return
	}
	if values.Canary.Enabled {
		if rule.HTTP != nil {
			for i, p := range rule.HTTP.Paths {
				t.canaryPath(name, ing, values, p, fmt.Sprintf("%s.http.paths[%d]", field, i))
			}
		}
		return
	}
	h := t.host(name)
	h.owned(keyOf(ing))
	if name != "" {
		t.namings = append(t.namings, naming{ing, h, values.Alias})
	}
	t.fallbackOf(h, fallback)
	if len(ing.Spec.TLS) > 0 && name != "" {
		h.tls = append(h.tls, &claim{ingress: ing, values: values})
	}
	if rule.HTTP == nil {
		return
	}
	for i, p := range rule.HTTP.Paths {
		t.path(h, ing, values, p, fmt.Sprintf("%s.http.paths[%d]", field, i))
	}
}

func (t *task) path(h *host, ing *networkingv1.Ingress, values annotation.Values, p networkingv1.HTTPIngressPath, field string) {
	path, err := parsePath(p.Path)
	if err != nil {
		t.wrong(objectOf(ing), field+".path", err.Error())
		t.refuse(h, &claim{ingress: ing, values: values, path: p.Path})
		return
	}
	kind := networkingv1.PathTypeImplementationSpecific
	if p.PathType != nil {
		kind = *p.PathType
	} else {
		t.problem(objectOf(ing), field+".pathType", "is missing; ImplementationSpecific is assumed")
	}
	wanted, err := placesOf(kind, path, t.o.StrictPaths)
	if err != nil {
		t.wrong(objectOf(ing), field+".pathType", err.Error())
		t.refuse(h, &claim{ingress: ing, values: values, path: path})
		return
	}
	if err := t.literal(kind, path); err != nil {
		t.wrong(objectOf(ing), field+".path", err.Error())
		t.refuse(h, &claim{ingress: ing, values: values, path: path})
		return
	}
	if reason := unreachable(path, t.o.StrictPaths); reason != "" {
		t.problem(objectOf(ing), field+".path", reason)
	}
	c := &claim{ingress: ing, values: values, path: path}
	t.point(c, p.Backend, field+".backend")
	for _, place := range wanted {
		part := *c
		part.derived = place.derived
		if earlier := h.claim(place.slot, &part); earlier != nil && !part.derived {
			t.wrong(objectOf(ing), field, t.taken(h.name, path, ing, earlier.ingress))
			return
		}
	}
}

// unreachable says why no request can have the path, "" where one can.
func unreachable(path string, strict bool) string {
	if !strict && strings.Contains(path, "//") {
		return fmt.Sprintf("%.80q is never asked for: nginx merges slashes before it compares (--strict-paths does not)", path)
	}
	if strings.Contains(path+"/", "/./") || strings.Contains(path+"/", "/../") {
		return fmt.Sprintf("%.80q is never asked for: nginx resolves dots before it compares", path)
	}
	return ""
}

// taken says why a path is not its Ingress's.
func (t *task) taken(host, path string, ing, by *networkingv1.Ingress) string {
	if ing == by {
		return fmt.Sprintf("path %q of host %q is in this Ingress twice; the first counts", path, host)
	}
	return fmt.Sprintf("path %q of host %q belongs to Ingress %s already%s", path, host, name(by), t.older())
}

// older is why the other has it.
func (t *task) older() string {
	if t.judges {
		return ""
	}
	return ", which is older"
}

func name(ing *networkingv1.Ingress) string { return ing.Namespace + "/" + ing.Name }

// maxPath keeps a path within what nginx takes as one word (4,096 bytes, each
// of which quoting may double).
const maxPath = 1900

func parsePath(path string) (string, error) {
	switch {
	case path == "":
		return "/", nil
	case path[0] != '/':
		return "", fmt.Errorf("%.80q does not start with a slash", path)
	case strings.HasSuffix(path, `\`):
		return "", fmt.Errorf("%.80q ends in a backslash", path)
	case len(path) > maxPath:
		return "", fmt.Errorf("%.80q… is longer than %d bytes", path, maxPath)
	}
	if i := strings.IndexFunc(path, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\uFFFD' }); i >= 0 {
		return "", fmt.Errorf("%.80q has a control character", path)
	}
	return path, nil
}

// literal says why a path can't be one that stands for itself, by the rule of
// strict-validate-path-type: what looks like an expression has to be called
// ImplementationSpecific.
func (t *task) literal(kind networkingv1.PathType, path string) error {
	if kind == networkingv1.PathTypeImplementationSpecific || !t.result.Config.Settings.StrictPathTypes {
		return nil
	}
	if i := strings.IndexFunc(path, func(c rune) bool { return !plain(c) }); i >= 0 {
		return fmt.Errorf("%.80q can't be used with pathType %s, for which strict-validate-path-type takes letters, digits and any of -._~/ alone", path, kind)
	}
	return nil
}

func plain(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-._~/", c)
}

// A place is a slot that a path means. A derived one gives way to a path that
// means just this slot.
type place struct {
	slot
	derived bool
}

// placesOf says which slots a path means; the first is the one that decides
// whose the path is.
//
// A Prefix matches by element: "/foo" means /foo and all below /foo/, not
// /foobar, and so does "/foo/", except that nginx redirects /foo to it unless
// strict. ImplementationSpecific is the same, as ingress-nginx had it.
func placesOf(kind networkingv1.PathType, path string, strict bool) ([]place, error) {
	bare := strings.TrimSuffix(path, "/")
	switch kind {
	case networkingv1.PathTypeExact:
		return []place{{slot{model.MatchExact, path}, false}}, nil
	case networkingv1.PathTypePrefix, networkingv1.PathTypeImplementationSpecific:
		places := []place{{slot{model.MatchPrefix, bare + "/"}, false}}
		if bare != "" && (strict || bare == path) {
			places = append(places, place{slot{model.MatchExact, bare}, true})
		}
		return places, nil
	}
	return nil, fmt.Errorf("%.80q is none of Exact, Prefix, ImplementationSpecific", string(kind))
}
