package build

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/store"
)

// An Index finds what one Ingress has to be judged beside: the others that share
// a name with it, and the Services that it names. It follows the snapshots at the
// cost of what changed, so that a look-up costs what it finds.
//
// It knows no Secrets: whether one is there, and what is in it, is no property
// of an Ingress, and may change a moment later.
type Index struct {
	o          Options
	entries    map[store.Key]entry
	named      map[string]map[store.Key]bool // by host or alias
	services   map[store.Key]*corev1.Service
	classes    map[string]*networkingv1.IngressClass
	namespaces map[string]*corev1.Namespace
	settings   parsedSettings
}

type entry struct {
	ingress        *networkingv1.Ingress
	hosts, aliases []string
}

// NewIndex makes an Index that knows nothing yet.
func NewIndex(o Options) *Index {
	o.Taken, o.Absent = nil, nil // whoever asks must not make us try a port
	return &Index{
		o:        o,
		entries:  map[store.Key]entry{},
		named:    map[string]map[store.Key]bool{},
		services: map[store.Key]*corev1.Service{},
		settings: o.parseSettings(nil),
	}
}

// Follow takes in what has changed since the call before, from the first on.
func (x *Index) Follow(s *store.Snapshot, ch store.Changes) {
	for key := range ch.Ingresses {
		x.forget(key)
		if ing := s.Ingresses[key]; ing != nil {
			x.enter(key, ing)
		}
	}
	for key := range ch.Services {
		delete(x.services, key)
		if service := s.Services[key]; service != nil {
			x.services[key] = service
		}
	}
	if ch.Classes {
		x.classes = maps.Clone(s.IngressClasses)
	}
	if ch.Namespaces && x.o.NamespaceSelector != nil {
		x.namespaces = maps.Clone(s.Namespaces)
	}
	if configMap := s.ConfigMaps[x.o.ConfigMap]; x.settings.from != configMap {
		x.settings = x.o.parseSettings(configMap)
	}
}

func (x *Index) enter(key store.Key, ing *networkingv1.Ingress) {
	e := entry{ingress: ing, hosts: hostsOf(ing), aliases: x.aliasesOf(ing)}
	x.entries[key] = e
	for _, name := range slices.Concat(e.hosts, e.aliases) {
		if x.named[name] == nil {
			x.named[name] = map[store.Key]bool{}
		}
		x.named[name][key] = true
	}
}

func (x *Index) forget(key store.Key) {
	e := x.entries[key]
	for _, name := range slices.Concat(e.hosts, e.aliases) {
		if delete(x.named[name], key); len(x.named[name]) == 0 {
			delete(x.named, name)
		}
	}
	delete(x.entries, key)
}

// hostsOf are an Ingress's, "" for requests of all hosts.
func hostsOf(ing *networkingv1.Ingress) []string {
	if len(ing.Spec.Rules) == 0 {
		return []string{""}
	}
	seen := make(map[string]bool, len(ing.Spec.Rules))
	for _, rule := range ing.Spec.Rules {
		seen[strings.ToLower(rule.Host)] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// aliasesOf are the words of the annotation. What is no name finds nothing.
func (x *Index) aliasesOf(ing *networkingv1.Ingress) []string {
	return strings.FieldsFunc(strings.ToLower(ing.Annotations[x.o.AnnotationsPrefix+"/server-alias"]), func(c rune) bool {
		return c == ',' || c == ' ' || c == '\n' || c == '\t' || c == '\r'
	})
}

// Beside gathers what an Ingress has to be judged beside. The result shares
// nothing with the Index that changes.
func (x *Index) Beside(ing *networkingv1.Ingress) *Case {
	hosts := map[string]bool{}
	for _, host := range hostsOf(ing) {
		hosts[host] = true
	}
	names := maps.Clone(hosts)
	for host := range hosts {
		if twin := twinOf(host); twin != "" {
			names[twin] = true
		}
	}
	for _, alias := range x.aliasesOf(ing) {
		names[alias] = true
	}
	c := &Case{o: x.o, settings: x.settings, s: &store.Snapshot{
		Ingresses:      map[store.Key]*networkingv1.Ingress{},
		IngressClasses: x.classes,
		Services:       map[store.Key]*corev1.Service{},
		ConfigMaps:     map[store.Key]*corev1.ConfigMap{x.o.ConfigMap: x.settings.from},
		Namespaces:     x.namespaces,
	}}
	for name := range names {
		for key := range x.named[name] {
			if key != keyOf(ing) && c.s.Ingresses[key] == nil {
				c.s.Ingresses[key] = x.entries[key].among(names)
			}
		}
	}
	c.youngest(ing)
	x.point(c, ing)
	return c
}

// among is the Ingress with those of its rules that are for one of the names, or
// all where it has one for an alias.
func (e entry) among(names map[string]bool) *networkingv1.Ingress {
	other := func(rule networkingv1.IngressRule) bool { return !names[strings.ToLower(rule.Host)] }
	if !slices.ContainsFunc(e.ingress.Spec.Rules, other) || slices.ContainsFunc(e.aliases, func(a string) bool { return names[a] }) {
		return e.ingress
	}
	part := *e.ingress
	part.Spec.Rules = slices.DeleteFunc(slices.Clone(part.Spec.Rules), other)
	return &part
}

// point gathers the Services that the Ingress names.
func (x *Index) point(c *Case, ing *networkingv1.Ingress) {
	add := func(name string) {
		key := store.Key{Namespace: ing.Namespace, Name: name}
		if service := x.services[key]; service != nil {
			c.s.Services[key] = service
		}
	}
	backend := func(b *networkingv1.IngressBackend) {
		if b != nil && b.Service != nil {
			add(b.Service.Name)
		}
	}
	add(strings.TrimSpace(ing.Annotations[x.o.AnnotationsPrefix+"/default-backend"]))
	backend(ing.Spec.DefaultBackend)
	for _, rule := range ing.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for i := range rule.HTTP.Paths {
			backend(&rule.HTTP.Paths[i].Backend)
		}
	}
	if service := x.services[x.o.DefaultBackend]; service != nil {
		c.s.Services[x.o.DefaultBackend] = service
	}
}
