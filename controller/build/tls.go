package build

import (
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// ciphers gives the host a TLS context of its own where an Ingress of it says
// something of ciphers. The oldest that does counts, for each of the two.
func (t *task) ciphers(h *host, server *model.Server) {
	for _, c := range h.byAge() {
		want := c.values.TLS
		if want.Ciphers == "" && want.Prefer == annotation.Unset {
			continue
		}
		if h.name == "" {
			t.problem(objectOf(c.ingress), t.o.AnnotationsPrefix+"/ssl-ciphers", "has no effect for a rule without a host: TLS that is for no host has the ConfigMap's")
			continue
		}
		server.OwnTLS = true
		if server.SSLCiphers == "" {
			server.SSLCiphers = want.Ciphers
		}
		if server.PreferCiphers == annotation.Unset {
			server.PreferCiphers = want.Prefer
		}
	}
}

// byAge is one claim of each of the host's Ingresses, oldest first.
func (h *host) byAge() []*claim {
	seen := map[*networkingv1.Ingress]*claim{}
	for _, c := range h.slots {
		if c.ingress != nil {
			seen[c.ingress] = c
		}
	}
	for _, c := range h.tls {
		seen[c.ingress] = c
	}
	var list []*claim
	for _, owner := range h.owners {
		for ing, c := range seen {
			if keyOf(ing) == owner {
				list = append(list, c)
			}
		}
	}
	return list
}

// passthrough hands the host's TLS on where the Ingress of its path / says so.
func (t *task) passthrough(h *host, _ *model.Server) {
	field := t.o.AnnotationsPrefix + "/ssl-passthrough"
	root := h.slots[slot{model.MatchPrefix, "/"}]
	if c := h.slots[slot{model.MatchRegex, option.Anchored("/")}]; c != nil && root.rest {
		root = c
	}
	for _, c := range h.byAge() {
		if !c.values.TLS.Passthrough {
			continue
		}
		switch {
		case !t.o.Passthrough:
			t.problem(objectOf(c.ingress), field, "has no effect without the flag --enable-ssl-passthrough")
		case h.name == "":
			t.problem(objectOf(c.ingress), field, "has no effect for a rule without a host: TLS is handed on by its name")
		case root.ingress != c.ingress || root.path != "/":
			t.problem(objectOf(c.ingress), field, "has no effect: it is for the Service of the path /, and that is not this Ingress's")
		case root.answer == 0:
			t.result.Config.Settings.Passthrough = append(t.result.Config.Settings.Passthrough,
				model.Passthrough{Host: h.name, Addresses: t.unopened(root.backend)})
		}
	}
}

// opened enters the hosts that a wildcard which is passed through would take.
func (t *task) opened() {
	through := t.result.Config.Settings.Passthrough
	if len(through) > 0 && t.result.Config.Settings.Peers.FromHeader() {
		t.problem(model.Object{Kind: "ConfigMap", Namespace: t.o.ConfigMap.Namespace, Name: t.o.ConfigMap.Name}, "data.proxy-real-ip-cidr",
			"has no effect on who the client is while TLS of some host is passed through: the client is then the connection's peer")
	}
	for name := range t.hosts {
		_, rest, ok := strings.Cut(name, ".")
		is := func(host string) bool {
			return slices.ContainsFunc(through, func(p model.Passthrough) bool { return p.Host == host })
		}
		if ok && !strings.HasPrefix(name, "*.") && !is(name) && is("*."+rest) {
			t.result.Config.Settings.Passthrough = append(t.result.Config.Settings.Passthrough, model.Passthrough{Host: name, Opened: true})
		}
	}
	slices.SortFunc(t.result.Config.Settings.Passthrough, func(a, b model.Passthrough) int { return strings.Compare(a.Host, b.Host) })
}
