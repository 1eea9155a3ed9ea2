package build

import (
	"cmp"
	"fmt"
	"regexp"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
)

// A bird is a path of a canary Ingress, which has no place of its own.
type bird struct {
	host  string
	slot  slot
	claim *claim
	field string
}

// canaryPath notes a path of a canary.
func (t *task) canaryPath(host string, ing *networkingv1.Ingress, values annotation.Values, p networkingv1.HTTPIngressPath, field string) {
	path, err := parsePath(p.Path)
	if err != nil {
		t.wrong(objectOf(ing), field+".path", err.Error())
		return
	}
	kind := networkingv1.PathTypeImplementationSpecific
	if p.PathType != nil {
		kind = *p.PathType
	}
	places, err := placesOf(kind, path, t.o.StrictPaths)
	if err != nil {
		t.wrong(objectOf(ing), field+".pathType", err.Error())
		return
	}
	if err := t.literal(kind, path); err != nil {
		t.wrong(objectOf(ing), field+".path", err.Error())
		return
	}
	c := &claim{ingress: ing, values: values, path: path}
	t.point(c, p.Backend, field+".backend")
	t.birds = append(t.birds, bird{host, places[0].slot, c, field})
}

// canaries gives those paths their canaries that have one, the oldest.
func (t *task) canaries() {
	for _, b := range t.birds {
		var at *claim
		h := t.hosts[b.host]
		if h != nil {
			at = h.slots[b.slot]
		}
		reason := ""
		switch {
		case b.claim.answer != 0:
			continue // it has no Service, and was told so
		case at == nil || at.ingress == nil || at.derived:
			reason = fmt.Sprintf("no Ingress has path %q of host %q, which a canary could be one of", b.claim.path, b.host)
		case at.ingress.Namespace != b.claim.ingress.Namespace:
			reason = fmt.Sprintf("path %q of host %q is that of an Ingress in another namespace", b.claim.path, b.host)
		case at.canary != nil:
			t.wrong(objectOf(b.claim.ingress), b.field, fmt.Sprintf("path %q of host %q has Ingress %s for a canary already%s", b.claim.path, b.host, name(at.canary.ingress), t.older()))
			continue
		}
		if reason != "" {
			t.problem(objectOf(b.claim.ingress), b.field, reason)
			continue
		}
		h.owned(keyOf(b.claim.ingress))
		for _, c := range h.slots { // a path may mean several
			if c.ingress == at.ingress && c.path == at.path && c.backend == at.backend {
				c.canary = b.claim
			}
		}
	}
}

// cookiePath is what may stand in a cookie's Path.
var cookiePath = regexp.MustCompile("^/[-!$&()*+./0-9:=@A-Z_a-z~%]*$")

// traffic is which endpoint a request gets.
func (t *task) traffic(s *site) {
	settings := &t.result.Config.Settings
	v := &s.values.Balance
	only := v.ServiceOnly.Or(settings.ServiceUpstream)
	if only {
		s.claim.backend.Cluster = t.hasClusterIP(s.claim.backend)
		s.route.Backend = s.claim.backend.ID()
	}
	if s.values.Affinity.Cookie {
		s.route.Affinity = affinityOf(s, s.values.Affinity)
	}
	s.route.Balance = t.balance(v)
	if s.claim.canary != nil {
		t.canary(s, only)
	}
	// Where an endpoint's time may decide, nginx calls Lua once more for each
	// request. With metrics it does so anyway; else who names an algorithm has
	// it, so that another one is no reload.
	named := v.Algorithm != "" || s.claim.canary != nil && s.claim.canary.values.Balance.Algorithm != ""
	s.location.Phases.Log = !settings.Metrics && (named || settings.LoadBalance == "ewma")
}

// canary gives a site the other backend, of which the endpoints are chosen as its
// own Ingress says. Of two affinities, that of the site is both's, unless the
// canary's is to be as if there were no other.
func (t *task) canary(s *site, clusterIP bool) {
	bird := s.claim.canary
	c, own, backend := bird.values.Canary, bird.values.Affinity, bird.backend
	backend.Cluster = clusterIP && t.hasClusterIP(backend)
	data := model.Canary{
		Backend: backend.ID(), Header: c.Header, Value: c.Value, Pattern: c.Pattern, Cookie: c.Cookie,
		Weight: c.Weight, Total: max(c.Total, 1), Balance: t.balance(&bird.values.Balance), Legacy: own.Legacy,
	}
	switch {
	case own.Cookie && (own.Legacy || !s.values.Affinity.Cookie):
		data.Affinity = affinityOf(s, own)
	case own.Cookie && own != s.values.Affinity:
		t.problem(objectOf(bird.ingress), t.o.AnnotationsPrefix+"/affinity", fmt.Sprintf(
			"has no effect: the cookie of Ingress %s holds for both; affinity-canary-behavior: legacy gives the canary its own", name(s.claim.ingress)))
	}
	s.route.Canary = data
	t.backend(backend)
}

// balance is how an endpoint is chosen for those without a cookie.
func (t *task) balance(v *annotation.Balance) model.Balance {
	settings := &t.result.Config.Settings
	b := model.Balance{HashBy: cmp.Or(v.HashBy, settings.UpstreamHashBy)}
	switch {
	case b.HashBy == "":
		b.EWMA = cmp.Or(v.Algorithm, settings.LoadBalance) == "ewma"
	case v.Subset.Or(settings.UpstreamHashBySubset):
		b.Subset = cmp.Or(v.SubsetSize, settings.UpstreamHashBySubsetSize)
	}
	return b
}

// affinityOf is the cookie that an Ingress asks for at a site.
func affinityOf(s *site, v annotation.Affinity) model.Affinity {
	path := v.Path
	if path == "" {
		path = s.claim.path
		if s.slot.match == model.MatchRegex || !cookiePath.MatchString(path) {
			path = "/"
		}
	}
	return model.Affinity{
		Name: v.Name, Path: path, Domain: v.Domain, Expires: v.Expires, MaxAge: v.MaxAge, SameSite: v.SameSite,
		ConditionalNone: v.ConditionalNone, Secure: v.Secure, Persistent: v.Persistent, Legacy: v.Legacy, ChangeOnFailure: v.ChangeOnFailure,
	}
}
