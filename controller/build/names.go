package build

import (
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
)

// A naming is what an Ingress says of the names of a host.
type naming struct {
	ingress *networkingv1.Ingress
	host    *host
	values  annotation.Alias
}

// nameHosts gives hosts their further names, older Ingresses first. What is a
// host of an Ingress is nobody's alias.
func (t *task) nameHosts() {
	taken := map[string]*host{}
	for _, n := range t.namings {
		for _, alias := range n.values.Names.All() {
			switch {
			case strings.HasPrefix(alias, "~") && strings.HasPrefix(n.host.name, "*."):
				// nginx tries wildcards and expressions in the order in which they
				// stand there: it would come before other hosts' wildcards.
				t.problem(objectOf(n.ingress), t.o.AnnotationsPrefix+"/server-alias", fmt.Sprintf("%q can't be an alias of host %q: an expression is no alias of a wildcard", alias, n.host.name))
			case alias == n.host.name || taken[alias] == n.host:
			case t.hosts[alias] != nil:
				t.problem(objectOf(n.ingress), t.o.AnnotationsPrefix+"/server-alias", fmt.Sprintf("%q is a host of an Ingress, and no alias of host %q", alias, n.host.name))
			case taken[alias] != nil:
				t.problem(objectOf(n.ingress), t.o.AnnotationsPrefix+"/server-alias", fmt.Sprintf("%q belongs to host %q already", alias, taken[alias].name))
			default:
				taken[alias] = n.host
				n.host.aliases = append(n.host.aliases, alias)
			}
		}
	}
	for _, n := range t.namings {
		if twin := twinOf(n.host.name); n.values.WWW && n.host.www == "" && t.hosts[twin] == nil && taken[twin] == nil && twin != "" {
			taken[twin] = n.host
			n.host.www = twin
		}
	}
}

// twinOf is the host's name with www., or without. A wildcard has none.
func twinOf(name string) string {
	if name == "" || strings.HasPrefix(name, "*.") {
		return ""
	}
	if bare, has := strings.CutPrefix(name, "www."); has {
		return bare
	}
	return "www." + name
}

// names are what a server has of that. The twin's server only ever redirects, so
// nothing is served by it that the host protects.
func (t *task) names(h *host, server *model.Server) {
	server.Aliases = slices.Sorted(slices.Values(h.aliases))
	for _, name := range h.aliases {
		t.shareCertificate(h.name, name)
	}
	if h.www != "" {
		server.WWW, server.WWWHost = t.result.Config.Settings.HTTPRedirectCode, h.www
		t.shareCertificate(h.name, h.www)
	}
}

// shareCertificate gives another name the host's certificate, where it is for
// that name too.
func (t *task) shareCertificate(host, name string) {
	id := t.result.Config.Hosts[host]
	if id == "" || strings.HasPrefix(name, "~") {
		return
	}
	for _, p := range t.secrets {
		if p.id == id && p.err == nil && valid(p.leaf, name) {
			t.result.Config.Hosts[name] = id
			return
		}
	}
}
