package build

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// protocols are the model's words for backend-protocol's.
var protocols = map[string]model.Protocol{
	"HTTPS": model.HTTPS, "AUTO_HTTP": model.Auto, "GRPC": model.GRPC, "GRPCS": model.GRPCS, "FCGI": model.FCGI,
}

// protocol says what is spoken to the endpoints. All but HTTP have a step that
// answers where there are none: the server that does for HTTP speaks that only.
func (t *task) protocol(s *site) {
	p := protocols[s.values.Protocol.Name]
	if p == model.HTTP {
		return
	}
	s.location.Pass.Protocol = p
	s.route.Protocol = p
	s.location.Phases.Rewrite = true
	switch p {
	case model.HTTPS, model.Auto, model.GRPCS:
		t.proxySSL(s)
	case model.FCGI:
		s.location.Pass.FastCGI = model.FastCGI{Index: s.values.Protocol.Index, Params: t.fastcgi(s)}
	}
}

var (
	parameter  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	nginxNames = regexp.MustCompile(`\$(?:\{([a-zA-Z0-9_]+)\}|([a-zA-Z0-9_]+))?`)
	// variables are those that FastCGI's parameters are made of.
	variables = strings.Fields(`fastcgi_script_name fastcgi_path_info document_root document_uri realpath_root uri request_uri request_filename
		query_string args is_args request_method content_type content_length scheme https server_protocol server_name server_port server_addr
		remote_addr remote_port remote_user host http_host request_id`)
)

// maxParam keeps a parameter within one word of nginx's.
const maxParam = 1900

// longestHeader is how long the name of a parameter may be that is a header's, HTTP_
// included: nginx keeps those in a table whose buckets have a fixed size.
const longestHeader = 51

// fastcgi are the parameters of the site's ConfigMap. One that can't be passed
// is left out; without the ConfigMap the usual ones remain.
func (t *task) fastcgi(s *site) option.List {
	text := s.values.Protocol.Params
	if text == "" {
		return ""
	}
	field := t.o.AnnotationsPrefix + "/fastcgi-params-configmap"
	from, err := t.textsOf(s.claim.ingress, text)
	if err != nil {
		t.elsewhere(objectOf(s.claim.ingress), field, err, "; the usual parameters are passed")
		return ""
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(from)) {
		value := from[name]
		if err := checkParam(name, value); err != nil {
			t.elsewhere(objectOf(s.claim.ingress), field, fmt.Errorf("ConfigMap %s: %w", text, err), "")
			continue
		}
		all = append(all, name+"="+value)
	}
	return option.ListOf(all...)
}

func checkParam(name, value string) error {
	switch {
	case !parameter.MatchString(name):
		return fmt.Errorf("%.80q is not the name of a parameter", name)
	case strings.HasPrefix(name, "HTTP_") && len(name) > longestHeader:
		return fmt.Errorf("%s is longer than %d bytes, which nginx has for the name of a header", name, longestHeader)
	case len(value) > maxParam:
		return fmt.Errorf("%s is longer than %d bytes", name, maxParam)
	case strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\uFFFD' }):
		return fmt.Errorf("%s has a control character", name)
	case strings.HasSuffix(value, `\`):
		return fmt.Errorf("%s ends in a backslash", name)
	}
	for _, m := range nginxNames.FindAllStringSubmatch(value, -1) {
		if v := m[1] + m[2]; !slices.Contains(variables, v) {
			return fmt.Errorf("%s has $%.80s, which is not a variable of FastCGI's", name, v)
		}
	}
	return nil
}
