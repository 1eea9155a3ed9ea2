package build

import (
	"fmt"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// snippet gives a site the directives that its Ingress's author wrote.
func (t *task) snippet(s *site) { s.location.Snippet = s.values.Snippet.Location }

// repeatable are directives of which a server may have several.
var repeatable = append(strings.Fields("add_header proxy_set_header proxy_hide_header set return rewrite allow deny if"), annotation.BlockClose)

// serverSnippet joins those for the whole host, the oldest Ingress's first.
// What nginx takes once, the oldest one says.
func (t *task) serverSnippet(h *host, server *model.Server) {
	var lines []string
	seen := map[string]bool{}
	for _, key := range h.owners {
		ing := t.s.Ingresses[key]
		c := h.claimOf(key.Namespace + "/" + key.Name)
		if ing == nil || c == nil {
			continue
		}
		mine := map[string]bool{}
		for _, words := range annotation.Directives(c.values.Snippet.Server) {
			name := words[0]
			if seen[name] {
				t.problem(objectOf(ing), t.o.AnnotationsPrefix+"/server-snippet", fmt.Sprintf("directive %s is in that of an older Ingress of host %q already, which counts", name, h.name))
				continue
			}
			mine[name] = true
			lines = append(lines, annotation.Line(words))
		}
		for name := range mine {
			seen[name] = true
		}
		for _, name := range repeatable {
			delete(seen, name)
		}
	}
	server.Snippet = option.ListOf(lines...)
}

// claimOf is one of the Ingress's claims on the host, nil where it has none.
func (h *host) claimOf(ingress string) *claim {
	for _, c := range h.slots {
		if c.ingress != nil && name(c.ingress) == ingress {
			return c
		}
	}
	return nil
}
