package build

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// servers turns the hosts into servers, with a route and a backend for each
// claim that won.
func (t *task) servers() {
	fallback := t.defaultBackend()
	t.nameHosts()
	t.canaries()
	for _, name := range slices.Sorted(maps.Keys(t.hosts)) {
		h := t.hosts[name]
		t.result.Owners[name] = h.owners
		if name == "" {
			h.claim(slot{model.MatchExact, "/healthz"}, &claim{path: "/healthz", answer: 200, derived: true})
			t.status(h)
		}
		h.claim(slot{model.MatchPrefix, "/"}, h.rest(fallback))
		if t.o.StrictPaths {
			h.noRedirects()
		}
		t.expressions(h, fallback)
		server := model.Server{Host: name}
		for _, s := range slices.SortedFunc(maps.Keys(h.slots), h.compareSlots) {
			server.Locations = append(server.Locations, t.location(h, s, h.slots[s]))
		}
		for _, feature := range serverFeatures {
			feature(t, h, &server)
		}
		t.result.Config.Servers = append(t.result.Config.Servers, server)
	}
	t.opened()
}

// status is the claim for nginx's own counters, where anybody may have them.
func (t *task) status(h *host) {
	if t.result.Config.Settings.Status != "" {
		h.claim(slot{model.MatchExact, "/nginx_status"}, &claim{path: "/nginx_status", answer: 403, status: true, derived: true})
	}
}

// rest is the claim for what no path takes.
func (h *host) rest(fallback *claim) *claim {
	c := &claim{path: "/", answer: 404}
	if fallback != nil {
		*c = *fallback
	}
	if h.fallback != nil {
		*c = *h.fallback
	}
	if c.ingress == nil && len(h.tls) > 0 {
		// The oldest one's redirect to https holds for the whole host.
		c.ingress, c.values = h.tls[0].ingress, h.tls[0].values
	}
	c.derived, c.rest = true, true
	return c
}

// noRedirects gives each path that ends in a slash a twin without it, which
// goes where the request went without nginx's redirect to the slash.
func (h *host) noRedirects() {
	for s := range maps.Clone(h.slots) {
		bare := strings.TrimSuffix(s.path, "/")
		if bare == s.path || bare == "" {
			continue
		}
		twin := slot{model.MatchExact, bare}
		if h.slots[twin] == nil {
			h.slots[twin] = h.longest(bare)
		}
	}
}

// longest is the claim of the longest prefix of the path.
func (h *host) longest(path string) *claim {
	for at := len(path); at > 0; at-- {
		if c := h.slots[slot{model.MatchPrefix, path[:at]}]; c != nil {
			return c
		}
	}
	return h.slots[slot{model.MatchPrefix, "/"}]
}

// compareSlots sorts by path, exact matches first. nginx finds the right one in
// any order, but sorts them so itself, by insertion: 20,000 in another order
// take it three times as long.
//
// Expressions come in the order in which nginx has to try them, the longest
// first.
func (h *host) compareSlots(a, b slot) int {
	if a.match == model.MatchRegex && b.match == model.MatchRegex {
		rank := func(s slot) int { return cmp.Or(h.slots[s].rank, len(s.path)) }
		return cmp.Or(cmp.Compare(rank(b), rank(a)), cmp.Compare(a.path, b.path))
	}
	return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(b.match, a.match))
}

func (t *task) location(h *host, s slot, c *claim) model.Location {
	location := model.Location{
		Path:              s.path,
		Match:             s.match,
		Return:            c.answer,
		RedirectHTTPS:     t.redirect(h, s, c),
		NoAccessLog:       t.unlogged(h, c),
		KeepTrailingSlash: c.values.Redirect.TrailingSlash.Or(t.result.Config.Settings.PreserveTrailingSlash),
	}
	if c.ingress != nil {
		location.Owner = name(c.ingress)
	}
	if s.match == model.MatchPrefix && h.first[s.path] {
		location.Match = model.MatchFirst
	}
	if location.RedirectHTTPS == 0 {
		location.KeepTrailingSlash = false
	}
	if c.status {
		location.Status, location.RedirectHTTPS, location.KeepTrailingSlash = t.result.Config.Settings.Status, 0, false
	}
	if c.answer != 0 {
		return location
	}
	location.Proxy = t.buffers(c)
	location.Route = routeID(h.name, s)
	route := model.Route{
		Backend:   c.backend.ID(),
		Namespace: c.backend.Service.Namespace,
		Service:   c.backend.Service.Name,
		Port:      c.backend.port(),
		Host:      h.name,
		Path:      c.path,
	}
	if c.ingress != nil {
		route.Ingress = c.ingress.Name
		t.feature(&site{h, s, c, &c.values, &location, &route})
	}
	if location.Return != 0 { // a feature closed it
		return model.Location{
			Path: location.Path, Match: location.Match, Owner: location.Owner, Return: location.Return,
			RedirectHTTPS: location.RedirectHTTPS, KeepTrailingSlash: location.KeepTrailingSlash,
		}
	}
	t.result.Config.Routes[location.Route] = route
	t.backend(c.backend)
	return location
}

func (t *task) feature(s *site) {
	for _, feature := range features {
		feature(t, s)
	}
}

// redirect is the status that a request without TLS gets, 0 where it is served.
func (t *task) redirect(h *host, at slot, c *claim) int {
	s := &t.result.Config.Settings
	path := at.path
	if at.match == model.MatchRegex {
		path = c.path
	}
	for _, prefix := range s.NoTLSRedirect {
		if strings.HasPrefix(path, prefix) {
			return 0
		}
	}
	ours := c.ingress != nil
	force := ours && c.values.Redirect.Force.Or(s.ForceSSLRedirect)
	if force || ours && len(h.tls) > 0 && c.values.Redirect.SSL.Or(s.SSLRedirect) {
		return s.HTTPRedirectCode
	}
	return 0
}

// buffers fills in the other of size and number where only one is set, since
// nginx takes them in one directive, and drops sizes that nginx refuses beside
// each other.
func (t *task) buffers(c *claim) annotation.Proxy {
	p, s := c.values.Proxy, &t.result.Config.Settings
	file := option.Bytes(cmp.Or(p.MaxTempFileSize, s.ProxyMaxTempFileSize))
	if file != 0 && file < option.Bytes(cmp.Or(p.BufferSize, s.ProxyBufferSize)) {
		t.problem(objectOf(c.ingress), t.o.AnnotationsPrefix+"/proxy-max-temp-file-size", "is less than proxy-buffer-size, which nginx refuses; both are left as in the ConfigMap")
		p.MaxTempFileSize, p.BufferSize = "", ""
	}
	t.busyBuffers(c, &p)
	if s.RetryNonIdempotent && p.NextUpstream != "" && p.NextUpstream != "off" && !strings.Contains(p.NextUpstream, "non_idempotent") {
		p.NextUpstream += " non_idempotent"
	}
	if p.BufferSize != "" || p.BuffersNumber != 0 {
		p.BufferSize = cmp.Or(p.BufferSize, s.ProxyBufferSize)
		p.BuffersNumber = cmp.Or(p.BuffersNumber, s.ProxyBuffersNumber)
	}
	return p
}

// busyBuffers drops a size that nginx refuses beside the buffers. Where it is
// the ConfigMap's, the location gets nginx's own, two buffers.
func (t *task) busyBuffers(c *claim, p *annotation.Proxy) {
	s := &t.result.Config.Settings
	size, number := cmp.Or(p.BufferSize, s.ProxyBufferSize), cmp.Or(p.BuffersNumber, s.ProxyBuffersNumber)
	switch busy := cmp.Or(p.BusyBuffersSize, s.ProxyBusyBuffersSize); {
	case busy == "" || option.BusyBuffers(busy, number, size):
	case p.BusyBuffersSize == "":
		p.BusyBuffersSize = strconv.FormatInt(2*option.Bytes(size), 10)
	default:
		t.problem(objectOf(c.ingress), t.o.AnnotationsPrefix+"/proxy-busy-buffers-size",
			"does not hold one buffer of proxy-buffer-size, or leaves none of them free, which nginx refuses; these are left as in the ConfigMap")
		p.BusyBuffersSize, p.BufferSize, p.BuffersNumber = "", "", 0
	}
}

// routeID is a digest: 96 bits, which nobody finds a second text for.
func routeID(host string, s slot) model.RouteID {
	sum := sha256.Sum256([]byte(host + "\x00" + s.match.String() + "\x00" + s.path))
	return model.RouteID(hex.EncodeToString(sum[:12]))
}
