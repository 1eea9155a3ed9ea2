package compat

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// moved is the case of a group that proves an annotation, with what the ConfigMap
// has a key for moved there. Where that key has another name, renamed says which.
func moved(g group, key string, renamed map[string]string) keyProof {
	i := slices.IndexFunc(g.cases, func(p proof) bool { return slices.Contains(p.keys, key) })
	if i < 0 {
		return keyProof{keys: []string{key + " has no case in " + g.name}}
	}
	p := keyProof{ingress: g.cases[i], flags: g.flags, settings: map[string]string{}}
	p.ingress.annotations = map[string]string{}
	for name, value := range g.cases[i].annotations {
		there := name
		if renamed[name] != "" {
			there = renamed[name]
		}
		if slices.Contains(settingNames, there) {
			p.settings[there] = value
		} else {
			p.ingress.annotations[name] = value
		}
		if name == key {
			p.keys = []string{there}
		}
	}
	p.prepare = func(t *testing.T, p *keyProof, s *site) {
		if g.objects != nil {
			p.more = g.objects(t, s)
		}
		for name, value := range g.settings { // some are known by now only
			p.settings = with(p.settings, name, value)
		}
	}
	p.ask, p.want = probed(g.cases[i].probes)
	return p
}

// probed is what a proof's probes say, one after the other.
func probed(probes []probe) (ask func(c client) (string, string), want string) {
	var wants []string
	for _, p := range probes {
		wants = append(wants, p.want)
	}
	return func(c client) (string, string) {
		var all []string
		for _, p := range probes {
			all = append(all, p.ask(c))
		}
		return strings.Join(all, "; "), ""
	}, strings.Join(wants, "; ")
}

// movedAll are those of several keys.
func movedAll(g group, renamed map[string]string, keys ...string) map[string]keyProof {
	all := map[string]keyProof{}
	for _, key := range keys {
		all[key] = moved(g, key, renamed)
	}
	return all
}

// joined are all of several.
func joined(all ...map[string]keyProof) map[string]keyProof {
	sum := map[string]keyProof{}
	for _, one := range all {
		maps.Copy(sum, one)
	}
	return sum
}
