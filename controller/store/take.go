package store

import (
	"slices"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Take brings what is pending into the Snapshot and says what changed. The
// Snapshot is the same one each time; the caller owns it until the next call.
// It costs what is pending, not what there is.
func (s *Store) Take() (*Snapshot, Changes) {
	b := s.pending.take()
	var c Changes
	for r, a := range b.objects {
		d := s.apply(r, a.object, &c)
		if !a.quiet {
			c.tell(r, d)
			c.note(r.kind, d, a.at)
		}
	}
	s.applyAddresses(b, &c)
	s.applyProblems(b, &c)
	if b.zone != "" && b.zone != s.snapshot.Zone {
		s.snapshot.Zone, c.Zone = b.zone, true
	}
	return s.snapshot, c
}

// apply puts one object into its map. Slices tell their changes themselves,
// because one of them can concern two Services; what they return is for the time
// alone.
func (s *Store) apply(r ref, o metav1.Object, c *Changes) difference {
	switch r.kind {
	case ingresses:
		return put(s.snapshot.Ingresses, r.key, o, compareIngress)
	case classes:
		return put(s.snapshot.IngressClasses, r.key.Name, o, compareContent)
	case services:
		return put(s.snapshot.Services, r.key, o, compareService)
	case configMaps:
		return put(s.snapshot.ConfigMaps, r.key, o, compareContent)
	case secrets:
		return put(s.snapshot.Secrets, r.key, o, compareContent)
	case namespaces:
		return put(s.snapshot.Namespaces, r.key.Name, o, compareContent)
	case nodes:
		return put(s.snapshot.Nodes, r.key.Name, o, compareContent)
	case endpointSlices:
		slice, _ := o.(*discoveryv1.EndpointSlice)
		if s.applySlice(r.key, slice, c) {
			return content
		}
	}
	return same
}

// put replaces m[key] by o, or deletes it where o is nil, and compares.
func put[K comparable, T any, P interface {
	*T
	metav1.Object
}](m map[K]P, key K, o metav1.Object, compare func(was, is P) difference) difference {
	was, had := m[key]
	is, ok := o.(P)
	switch {
	case !ok && !had:
		return same
	case !ok:
		delete(m, key)
		return content
	}
	// Even the same content is replaced: its resourceVersion is newer.
	m[key] = is
	if !had {
		return content
	}
	return compare(was, is)
}

// tell notes a difference of any kind but slices.
func (c *Changes) tell(r ref, d difference) {
	switch {
	case d == same:
	case d == status:
		c.Statuses = true
		if r.kind == services {
			mark(&c.ServiceStatuses, r.key)
		}
	case r.kind == ingresses:
		mark(&c.Ingresses, r.key)
	case r.kind == services:
		mark(&c.Services, r.key)
	case r.kind == configMaps:
		mark(&c.ConfigMaps, r.key)
	case r.kind == secrets:
		mark(&c.Secrets, r.key)
	case r.kind == classes:
		c.Classes = true
	case r.kind == namespaces:
		c.Namespaces = true
	case r.kind == nodes:
		c.Nodes = true
	}
}

func mark[K comparable](set *map[K]bool, key K) {
	if *set == nil {
		*set = map[K]bool{}
	}
	(*set)[key] = true
}

// note takes down when a kind's first change came.
func (c *Changes) note(k kind, d difference, at time.Time) {
	if d != content {
		return
	}
	if c.Since == nil {
		c.Since = map[string]time.Time{}
	}
	if before, ok := c.Since[string(k)]; !ok || at.Before(before) {
		c.Since[string(k)] = at
	}
}

// applySlice files a slice under its Service, and says whether that is a change.
// Its label may name another Service than before; a slice without one belongs to
// none.
func (s *Store) applySlice(key Key, is *discoveryv1.EndpointSlice, c *Changes) bool {
	owner, owned := serviceOf(is)
	before, had := s.owners[key]
	moved := had && (!owned || owner != before)
	if moved {
		s.dropSlice(before, key, c)
	}
	if !owned {
		return moved
	}
	was := s.snapshot.Slices[owner][key.Name]
	if s.snapshot.Slices[owner] == nil {
		s.snapshot.Slices[owner] = map[string]*discoveryv1.EndpointSlice{}
	}
	s.snapshot.Slices[owner][key.Name] = is
	s.owners[key] = owner
	if was == nil || compareSlice(was, is) != same {
		mark(&c.Endpoints, owner)
		return true
	}
	return moved
}

func (s *Store) dropSlice(owner, key Key, c *Changes) {
	delete(s.owners, key)
	delete(s.snapshot.Slices[owner], key.Name)
	if len(s.snapshot.Slices[owner]) == 0 {
		delete(s.snapshot.Slices, owner)
	}
	mark(&c.Endpoints, owner)
}

// serviceOf is false for a slice that belongs to no Service, or is nil.
func serviceOf(s *discoveryv1.EndpointSlice) (Key, bool) {
	if s == nil || s.Labels[discoveryv1.LabelServiceName] == "" {
		return Key{}, false
	}
	return Key{Namespace: s.Namespace, Name: s.Labels[discoveryv1.LabelServiceName]}, true
}

func (s *Store) applyAddresses(b batch, c *Changes) {
	for name, is := range b.addresses {
		was, had := s.snapshot.Addresses[name]
		if is == nil { // no longer wanted: no change
			delete(s.snapshot.Addresses, name)
			continue
		}
		s.snapshot.Addresses[name] = *is
		if !had || was.Err != is.Err || !slices.Equal(was.Addresses, is.Addresses) {
			mark(&c.Addresses, name)
		}
	}
}

func (s *Store) applyProblems(b batch, c *Changes) {
	for source, all := range b.problems {
		if slices.Equal(s.snapshot.Problems[source], all) {
			continue
		}
		c.Problems = true
		if len(all) == 0 {
			delete(s.snapshot.Problems, source)
		} else {
			s.snapshot.Problems[source] = all
		}
	}
}

// ownerOf is serviceOf for an object of any kind.
func ownerOf(o metav1.Object) (Key, bool) {
	s, ok := o.(*discoveryv1.EndpointSlice)
	if !ok {
		return Key{}, false
	}
	return serviceOf(s)
}
