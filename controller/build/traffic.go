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
		s.route.Affinity = t.affinity(s)
	}
	s.route.Balance = model.Balance{HashBy: cmp.Or(v.HashBy, settings.UpstreamHashBy)}
	if s.route.Balance.HashBy != "" {
		if v.Subset.Or(settings.UpstreamHashBySubset) {
			s.route.Balance.Subset = cmp.Or(v.SubsetSize, settings.UpstreamHashBySubsetSize)
		}
	} else if cmp.Or(v.Algorithm, settings.LoadBalance) == "ewma" {
		s.route.Balance.EWMA = true
		s.location.Phases.Log = true
	}
	if bird := s.claim.canary; bird != nil {
		c, backend := bird.values.Canary, bird.backend
		backend.Cluster = only && t.hasClusterIP(backend)
		s.route.Canary = model.Canary{
			Backend: backend.ID(), Header: c.Header, Value: c.Value, Pattern: c.Pattern, Cookie: c.Cookie,
			Weight: c.Weight, Total: max(c.Total, 1),
		}
		t.backend(backend)
	}
}

func (t *task) affinity(s *site) model.Affinity {
	v := s.values.Affinity
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
