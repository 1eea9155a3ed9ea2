package build

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// auth has another server asked who comes in. Where it can't be set up, nobody
// does.
func (t *task) auth(s *site) {
	a, key := s.values.Auth, "auth-url"
	snippet := s.values.Snippet.Auth
	if a.URL.Scheme == "" && !a.NotGlobal {
		a, key = t.result.Config.Settings.GlobalAuth, "enable-global-auth"
		snippet = option.ListOf(append(t.result.Config.Settings.GlobalAuthSnippet.All(), snippet.All()...)...)
	}
	if a.URL.Scheme == "" || t.open(s.slot) {
		return
	}
	data := model.Auth{
		TLS: a.URL.Scheme == "https", Host: a.URL.Authority(), Method: cmp.Or(a.Method, "GET"), URI: a.URL.Rest,
		Signin: a.Signin, Headers: a.Headers, Redirect: a.Redirect, Cookies: a.Cookies,
	}
	if reason := t.authTarget(s, a.URL, key, &data); reason != "" {
		t.closed(s, key, reason)
		return
	}
	set, err := t.authHeaders(s, a.Set)
	if err != nil {
		t.closedBy(s, "auth-proxy-set-headers", err)
		return
	}
	data.Set = set
	if err := authSnippet(snippet, &data); err != nil {
		t.closedAs(s, "auth-snippet", err.Error(), model.Wrong)
		return
	}
	if a.Signin != "" && !hasParam(a.Signin, a.Param) {
		data.Param = a.Param
	}
	if a.CacheKey != "" {
		data.CacheKey, data.CacheFor = a.CacheKey, a.CacheFor
	}
	if a.Keepalive > 0 && a.KeepaliveTime > 0 {
		data.Idle, data.IdleRequests, data.IdleTime = a.Keepalive, a.KeepaliveRequests, int(a.KeepaliveTime.Milliseconds())
	}
	data.OtherID = a.Keepalive > 0 && !a.ShareVars
	data.Scope = authScope(s, data)
	t.authTimes(s, &data)
	s.route.Auth = data
	s.location.Auth = true
	s.location.AuthCache = a.CacheKey != ""
	s.location.Phases.Rewrite = s.location.Phases.Rewrite || s.route.Any
	s.location.Phases.Access, s.location.Phases.Header = true, true
}

// open says whether nobody is asked in that place, whoever its Ingress is of.
// An expression may match more than it begins with.
func (t *task) open(s slot) bool {
	if s.match == model.MatchRegex {
		return false
	}
	return slices.ContainsFunc(t.result.Config.Settings.NoAuth.All(), func(prefix string) bool {
		bare := strings.TrimSuffix(prefix, "/")
		return s.path == bare || strings.HasPrefix(s.path, bare+"/")
	})
}

// authTarget says where the server is, or why it can't be asked.
func (t *task) authTarget(s *site, u annotation.AuthURL, key string, data *model.Auth) string {
	listen := t.result.Config.Settings.Listen
	switch {
	case u.Scheme == annotation.Nowhere:
		return "can't be followed: the ConfigMap's global-auth keys are wrong"
	case u.Host == "":
		data.Own = listen.HTTPPort
		if data.TLS {
			data.Own = listen.HTTPSPort
		}
		if u.Port != 0 && u.Port != data.Own && u.Port != (annotation.AuthURL{Scheme: u.Scheme}).Number() {
			return fmt.Sprintf("asks port %d of the request's host, on which nothing listens", u.Port)
		}
		return ""
	}
	if _, err := netip.ParseAddr(u.Host); err != nil {
		data.Name = u.Host
	}
	if ref, ok := t.serviceOf(u); ok {
		if reason := t.missing(ref); reason != "" {
			t.problem(objectOf(s.claim.ingress), t.o.AnnotationsPrefix+"/"+key, reason+"; requests get a 500")
		}
		t.backend(ref)
		data.Backend = ref.ID()
		return ""
	}
	addresses, reason := t.resolve(u.Host)
	if reason != "" {
		t.problem(objectOf(s.claim.ingress), t.o.AnnotationsPrefix+"/"+key, reason+"; requests get a 500")
	}
	var list []netip.AddrPort
	for _, a := range addresses {
		list = append(list, netip.AddrPortFrom(a, uint16(u.Number())))
	}
	data.Backend = model.BackendID("auth:" + u.Host + ":" + strconv.Itoa(u.Number()))
	t.result.Config.Backends[data.Backend] = backendOf(list)
	return ""
}

// serviceOf is the Service that a name of the cluster's DNS means, where it is
// known: its endpoints are asked without DNS, and change as they do. Other names
// are looked up.
func (t *task) serviceOf(u annotation.AuthURL) (BackendRef, bool) {
	key, ok := serviceNamed(u.Host)
	if !ok {
		return BackendRef{}, false
	}
	port := networkingv1.ServiceBackendPort{Number: int32(u.Number())}
	return BackendRef{Service: key, Port: port}, t.s.Services[key] != nil
}

// authHeaders are more headers for the server, of a ConfigMap.
func (t *task) authHeaders(s *site, reference string) (option.List, error) {
	if reference == "" {
		return "", nil
	}
	from, err := t.textsOf(s.claim.ingress, reference)
	if err != nil {
		return "", err
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(from)) {
		texts, err := annotation.AuthHeader(name, from[name])
		if err != nil {
			return "", fmt.Errorf("names ConfigMap %s, of which %w", keyIn(s.claim.ingress.Namespace, reference), err)
		}
		all = append(all, texts...)
	}
	return option.ListOf(all...), nil
}

// hasParam says whether a URL has a parameter of that name already.
func hasParam(url option.List, name string) bool {
	var text strings.Builder
	for _, part := range url.All() {
		if literal, ok := strings.CutPrefix(part, "="); ok {
			text.WriteString(literal)
		} else {
			text.WriteString("x")
		}
	}
	_, query, _ := strings.Cut(text.String(), "?")
	return slices.ContainsFunc(strings.Split(query, "&"), func(p string) bool { return strings.HasPrefix(p, name+"=") })
}

// authScope is one for each location of an Ingress and each way in which it asks:
// what lets a client into one path does not let it into another.
func authScope(s *site, data model.Auth) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%q\x00%#v\x00%#v", s.claim.ingress.Namespace, s.claim.ingress.Name, s.host.name, s.slot, data))
	return hex.EncodeToString(sum[:12])
}

// authTimes are those of the location's endpoints.
func (t *task) authTimes(s *site, data *model.Auth) {
	settings, own := &t.result.Config.Settings, s.location.Proxy
	for to, d := range map[*int]time.Duration{
		&data.Connect: cmp.Or(own.ConnectTimeout, settings.ProxyConnectTimeout),
		&data.Send:    cmp.Or(own.SendTimeout, settings.ProxySendTimeout),
		&data.Read:    cmp.Or(own.ReadTimeout, settings.ProxyReadTimeout),
	} {
		*to = int(d.Milliseconds())
	}
}

// authSnippet takes the headers out of the directives for the location that
// asks. There is no such location, so others have no place.
func authSnippet(snippet option.List, data *model.Auth) error {
	all := data.Set.All()
	for _, words := range annotation.Directives(snippet) {
		if len(words) != 3 || words[0] != "proxy_set_header" {
			return fmt.Errorf("has a directive other than proxy_set_header, for which there is no place: %.40q", words)
		}
		texts, err := annotation.AuthHeader(words[1], words[2])
		if err != nil {
			return err
		}
		all = append(all, texts...)
	}
	data.Set = option.ListOf(all...)
	return nil
}
