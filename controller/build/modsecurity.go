package build

import (
	"fmt"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// httpRules makes the ConfigMap's rules a file.
func (t *task) httpRules() {
	s := &t.result.Config.Settings
	if reason := t.withoutModSecurity(s.SecRules.Core); s.ModSecurity && reason != "" {
		object := model.Object{Kind: "ConfigMap", Namespace: t.o.ConfigMap.Namespace, Name: t.o.ConfigMap.Name}
		t.problem(object, "data.enable-modsecurity", reason+"; all locations where it is on answer 503")
		s.NoModSecurity, s.SecRules = true, model.SecRules{}
		return
	}
	s.SecRules.File, s.SecRules.Audit = t.secFile(s.ModSecurityRules), s.ModSecurityRules.Audit
}

// withoutModSecurity says why there is none, "" where there is.
func (t *task) withoutModSecurity(core bool) string {
	switch {
	case !t.o.ModSecurity:
		return "wants nginx's module for ModSecurity, which is missing; install the package libnginx-mod-http-modsecurity"
	case core && !t.o.CoreRules:
		return "wants the OWASP Core Rule Set, which is missing; install the package modsecurity-crs"
	}
	return ""
}

func (t *task) secFile(rules annotation.SecRules) model.FileID {
	if rules.Text == "" {
		return ""
	}
	return t.file([]byte(rules.Text), false)
}

// modSecurity holds a site's requests against rules. Where that can't be, the
// site is closed.
func (t *task) modSecurity(s *site) {
	settings := &t.result.Config.Settings
	m, rules := s.values.ModSecurity, s.values.Snippet.ModSecurity
	if !m.Enable.Or(settings.ModSecurity) {
		if m.Core == annotation.On || m.TransactionID != "" || !rules.Empty() {
			t.problem(objectOf(s.claim.ingress), t.o.AnnotationsPrefix+"/enable-modsecurity", "is not on, so the other annotations of ModSecurity have no effect")
		}
		return
	}
	core := m.Core == annotation.On || rules.Core
	if reason := t.withoutModSecurity(false); reason != "" && m.Enable == annotation.On {
		t.closed(s, "enable-modsecurity", reason)
		return
	}
	if reason := t.withoutModSecurity(core); reason != "" && core {
		t.closed(s, "enable-owasp-core-rules", reason)
		return
	}
	if settings.ModSecurity && settings.NoModSecurity {
		s.location.Return = 503 // the ConfigMap's problem says why
		return
	}
	if settings.SecRules.Core && m.Core == annotation.Off {
		t.problem(objectOf(s.claim.ingress), t.o.AnnotationsPrefix+"/enable-owasp-core-rules", "has no effect: the ConfigMap's enable-owasp-modsecurity-crs adds the rules everywhere")
	}
	if id := sameID(rules.IDs, settings.ModSecurityRules.IDs); id != "" {
		t.closed(s, "modsecurity-snippet", fmt.Sprintf("has a rule of id %s, which one of the ConfigMap's modsecurity-snippet has", id))
		return
	}
	s.location.ModSecurity = model.ModSecurity{
		On:            true,
		TransactionID: m.TransactionID,
		Rules: model.SecRules{
			File:  t.secFile(rules),
			Base:  (!settings.ModSecurity || rules.Base) && !settings.SecRules.Base,
			Audit: rules.Audit,
			Core:  core && !settings.SecRules.Core,
		},
	}
}

// sameID is an id that both have.
func sameID(a, b option.List) string {
	ids := a.All()
	for _, id := range b.All() {
		if slices.Contains(ids, id) {
			return id
		}
	}
	return ""
}

// A load of the Core Rule Set costs 17 MB and 40 ms at each reload. Rules of the
// http block are loaded once, and cost each location and each server, even where
// ModSecurity is off, 24 KB and 30 µs: a seven hundredth.
const loadInPlaces = 700

// shareRules moves the Core Rule Set into the http block where that is cheaper
// than to load it in each location that wants it. Locations that do not want it
// are told to pass over its rules. Its SecDefaultAction would be the last one
// there too, so it stays where the ConfigMap has one.
func (t *task) shareRules() {
	settings, servers := &t.result.Config.Settings, t.result.Config.Servers
	places, loads := 0, 0
	each := func(do func(*model.ModSecurity)) {
		for i := range servers {
			for j := range servers[i].Locations {
				if m := &servers[i].Locations[j].ModSecurity; m.On && servers[i].Locations[j].Return == 0 {
					do(m)
				}
			}
		}
	}
	for i := range servers {
		places += 1 + len(servers[i].Locations)
	}
	each(func(m *model.ModSecurity) {
		if m.Rules.Core {
			loads++
		}
	})
	if (loads-1)*loadInPlaces < places || settings.ModSecurityRules.Defaults {
		return
	}
	settings.SecRules.Core = true
	each(func(m *model.ModSecurity) {
		if !m.Rules.Core {
			m.Without = option.ListOf("900990", "901000-999999")
		}
		m.Rules.Core = false
	})
}
