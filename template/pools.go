package template

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// An upstream is one pool of idle connections. nginx finds an idle connection
// by its address alone, so connections on which another protocol is spoken, or
// which were verified in another way or show another certificate, have a pool
// of their own: or one tenant's requests would go out in another's name.
type upstream struct {
	Name   string
	Speaks string        // the protocol, or "mirror"
	Mirror model.RouteID // of a mirror
	Keep   bool          // connections are kept
}

// pool is the part of a pool's name that stands for its TLS: "" where nothing
// is said of it.
func pool(p model.Pass) string {
	if p.TLS == (model.UpstreamTLS{}) {
		return ""
	}
	return "." + digest(fmt.Sprintf("%#v", p.TLS))
}

// digest makes a name of a text that is not to stand in a name.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:12])
}

// pools are those that the servers need beside that for HTTP, by name.
func pools(servers []model.Server) []upstream {
	all := map[string]upstream{}
	add := func(u upstream) { all[u.Name] = u }
	for i := range servers {
		for _, l := range servers[i].Locations {
			if l.Mirror.Route != "" {
				add(upstream{Name: "mirror." + string(l.Mirror.Route), Speaks: "mirror", Mirror: l.Mirror.Route, Keep: true})
			}
			switch l.Pass.Protocol {
			case model.HTTP:
			case model.Auto:
				for _, scheme := range []string{"http", "https"} {
					add(upstream{Name: scheme + pool(l.Pass), Speaks: "auto", Keep: true})
				}
			default:
				protocol := string(l.Pass.Protocol)
				add(upstream{Name: protocol + pool(l.Pass), Speaks: protocol, Keep: l.Pass.Protocol != model.FCGI})
			}
		}
	}
	list := make([]upstream, 0, len(all))
	for _, u := range all {
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b upstream) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Speaks says whether one of the protocols is used.
func (f *frame) Speaks(protocols ...string) bool {
	return slices.ContainsFunc(f.Pools, func(u upstream) bool { return slices.Contains(protocols, u.Speaks) })
}

// Told says whether there are connections, over unix sockets, whose client a
// header names: those that the stream module hands on, and nginx's own.
func (f *frame) Told() bool { return len(f.Passthrough) > 0 || f.AsksServer }

// PortVariable is the port that a client asked: over a unix socket it is what
// the header says.
func (f *frame) PortVariable() string {
	if f.Peers.Forwarded {
		return "$pass_port"
	}
	return f.AskedPort()
}

// SchemeVariable is the scheme that a client asked with.
func (f *frame) SchemeVariable() string {
	if f.Peers.Forwarded {
		return "$pass_access_scheme"
	}
	return "$scheme"
}

// FromHeader says whether a header names the client. Where hosts are passed
// through, it can't: their connections come from nginx itself, whom it would believe.
func (f *frame) FromHeader() bool { return f.Peers.FromHeader() && len(f.Passthrough) == 0 }

// ForwardedFor is what endpoints are told of clients.
func (f *frame) ForwardedFor() string {
	if f.Peers.Full {
		return "$full_x_forwarded_for"
	}
	return "$remote_addr"
}

// AskedPort is that of the connection.
func (f *frame) AskedPort() string {
	if f.Told() {
		return "$asked_port"
	}
	return "$server_port"
}

// FastCGINext is proxy_next_upstream without what FastCGI's has not.
func (f *frame) FastCGINext() string {
	words := slices.DeleteFunc(strings.Fields(f.ProxyNextUpstream), func(w string) bool { return w == "http_502" || w == "http_504" })
	if len(words) == 0 {
		return "off"
	}
	return strings.Join(words, " ")
}

// pairs are the names and values of a list that has them in turn.
func pairs(l option.List) []parameter {
	var all []parameter
	texts := l.All()
	for i := 0; i+1 < len(texts); i += 2 {
		all = append(all, parameter{texts[i], texts[i+1]})
	}
	return all
}

// A parameter is one of FastCGI's.
type parameter struct{ Name, Value string }

// usual are the parameters that nginx's own list has, and the one that keeps a
// request's Proxy header from being taken for a setting.
var usual = []parameter{
	{"QUERY_STRING", "$query_string"}, {"REQUEST_METHOD", "$request_method"}, {"CONTENT_TYPE", "$content_type"}, {"CONTENT_LENGTH", "$content_length"},
	{"SCRIPT_NAME", "$fastcgi_script_name"}, {"REQUEST_URI", "$request_uri"}, {"DOCUMENT_URI", "$document_uri"}, {"DOCUMENT_ROOT", "$document_root"},
	{"SERVER_PROTOCOL", "$server_protocol"}, {"REQUEST_SCHEME", "$scheme"}, {"HTTPS", "$https"}, {"GATEWAY_INTERFACE", "CGI/1.1"}, {"SERVER_SOFTWARE", "nginx"},
	{"REMOTE_ADDR", "$remote_addr"}, {"REMOTE_PORT", "$remote_port"}, {"SERVER_ADDR", "$server_addr"}, {"SERVER_PORT", "$server_port"},
	{"SERVER_NAME", "$server_name"}, {"REDIRECT_STATUS", "200"}, {"HTTP_PROXY", ""},
}

// parameters are the usual ones with the user's over them.
func parameters(own option.List) []parameter {
	all := slices.Clone(usual)
	for _, text := range own.All() {
		name, value, _ := strings.Cut(text, "=")
		if i := slices.IndexFunc(all, func(p parameter) bool { return p.Name == name }); i >= 0 {
			all[i].Value = value
			continue
		}
		all = append(all, parameter{name, value})
	}
	return all
}

// sni writes a host as a key of a map of server names.
func sni(host string) (string, error) {
	if !hostText.MatchString(host) {
		return "", fmt.Errorf("%q is not a host", host)
	}
	parent, wildcard := strings.CutPrefix(host, "*.")
	if !wildcard {
		return host, nil
	}
	return quote(`~*^[^.]+\.` + regexp.QuoteMeta(parent) + `$`)
}
