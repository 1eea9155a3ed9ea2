package build

import (
	"fmt"
	"regexp"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// A host gathers what all Ingresses say of it.
type host struct {
	name   string
	slots  map[slot]*claim
	owners []store.Key
	// fallback takes what no path does: the first default backend of an
	// Ingress with this host.
	fallback *claim
	// tls are the Ingresses with this host that have a TLS section, oldest
	// first, as claims of no path.
	tls []*claim
	// aliases are further names, and www the one that is redirected here.
	aliases []string
	www     string
	// first are the plain paths that come before the host's expressions.
	first map[string]bool
	// refused are paths that can't be served, of Ingresses that restrict access.
	refused []*claim
}

// A slot is one place in nginx's choice of a location.
type slot struct {
	match model.Match
	path  string
}

// A claim is what an Ingress wants in a slot.
type claim struct {
	ingress *networkingv1.Ingress
	values  annotation.Values
	path    string // as the Ingress has it
	backend BackendRef
	answer  int  // where not 0, the status that is answered instead
	status  bool // nginx's own counters, for those who may have them
	// derived claims come from a path that means more than one slot; they
	// give way to a path that means just the one.
	derived bool
	canary  *claim
	rest    bool // what no path of the host takes
	rank    int  // among expressions, where not 0, in the place of its length
}

func (t *task) host(name string) *host {
	h := t.hosts[name]
	if h == nil {
		h = &host{name: name, slots: map[slot]*claim{}}
		t.hosts[name] = h
	}
	return h
}

func (h *host) owned(by store.Key) {
	for _, o := range h.owners {
		if o == by {
			return
		}
	}
	h.owners = append(h.owners, by)
}

// claim takes a slot for a claim unless an earlier one has it, which it
// returns.
func (h *host) claim(s slot, c *claim) (earlier *claim) {
	old := h.slots[s]
	if old != nil && (c.derived || !old.derived) {
		return old
	}
	h.slots[s] = c
	return nil
}

var label = regexp.MustCompile(`^[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?$`)

// parseHost is the host in lower case, or why it isn't one.
func parseHost(text string) (string, error) {
	name := strings.ToLower(text)
	if name == "" {
		return "", nil
	}
	rest := strings.TrimPrefix(name, "*.")
	for part := range strings.SplitSeq(rest, ".") {
		if !label.MatchString(part) {
			return "", fmt.Errorf("%.80q is not a host name, nor a wildcard such as *.example.org", text)
		}
	}
	if len(name) > 253 {
		return "", fmt.Errorf("%.80q… is longer than 253 characters", text)
	}
	return name, nil
}
