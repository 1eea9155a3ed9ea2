package build

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// headers sets what endpoints and clients see.
func (t *task) headers(s *site) {
	h := s.values.Headers
	if h.Vhost != "" {
		s.route.Vhost = vhost(h.Vhost, s.route)
		s.location.Phases.Rewrite = true
	}
	s.location.Connection = h.Connection
	if h.Custom == "" {
		return
	}
	list, err := t.customHeaders(s, h.Custom)
	if err != nil {
		t.elsewhere(objectOf(s.claim.ingress), t.o.AnnotationsPrefix+"/custom-headers", err, "")
	}
	if list != "" {
		s.route.Headers = list
		s.location.Phases.Header = true
	}
}

// vhost fills in what the text has of variables; all of them are known here.
// The longer of two names that start alike comes first.
func vhost(text string, r *model.Route) string {
	return strings.NewReplacer("$namespace", r.Namespace, "$ingress_name", r.Ingress,
		"$service_name", r.Service, "$service_port", r.Port).Replace(text)
}

// customHeaders are names and values in turn, and what is wrong with others.
func (t *task) customHeaders(s *site, reference string) (list option.List, err error) {
	from, err := t.textsOf(s.claim.ingress, reference)
	allowed := t.result.Config.Settings.AllowedResponseHeaders.All()
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(from)) {
		value := strings.TrimSpace(from[name])
		switch {
		case !slices.Contains(allowed, strings.ToLower(name)):
			err = fmt.Errorf("header %.80q of ConfigMap %s is not in the ConfigMap key global-allowed-response-headers; it is left out", name, keyIn(s.claim.ingress.Namespace, reference))
		case !plainValue(value):
			err = fmt.Errorf("header %.80q of ConfigMap %s has an empty value, one longer than %d bytes, or control characters; it is left out", name, keyIn(s.claim.ingress.Namespace, reference), maxHeader)
		default:
			texts = append(texts, name, value)
		}
	}
	return option.ListOf(texts...), err
}

// maxHeader is the most bytes of one header, many times those of a long policy.
const maxHeader = 4096

func plainValue(s string) bool {
	return s != "" && len(s) <= maxHeader && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
