package annotation

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Mirror is where requests are sent a second time.
type Mirror struct {
	Target   MirrorTarget
	Host     string // the Host header; "" is that of the target
	SkipBody bool
}

// A MirrorTarget is a URL of which nginx's variables may be a part. The zero
// one is none.
type MirrorTarget struct {
	Scheme string
	Host   string // a name or an address
	Port   int
	Rest   string // path and arguments, with variables, in nginx's words
}

// Authority is the host with its port where that is not the scheme's.
func (t MirrorTarget) Authority() string {
	host := t.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if t.Scheme == "http" && t.Port == 80 || t.Scheme == "https" && t.Port == 443 {
		return host
	}
	return host + ":" + strconv.Itoa(t.Port)
}

// mirrorVariables are what may stand in a target: parts of the request, which
// its copy has anyway.
var mirrorVariables = []string{"request_uri", "args", "query_string", "is_args", "host", "scheme", "request_method"}

var (
	targetShape = regexp.MustCompile(`^(https?)://([^/?#$]+)(.*)$`)
	restShape   = regexp.MustCompile(`^(\$\{[a-z_]+\}|\$[a-z_]+|[-A-Za-z0-9._~!&()*+,=:@/?]|%[0-9A-Fa-f]{2})*$`)
	variable    = regexp.MustCompile(`\$(?:\{([a-zA-Z0-9_]+)\}|([a-zA-Z0-9_]+))?`)
)

var (
	mirrorTarget = option.Key[MirrorTarget]{
		Name: "mirror-target", Risk: option.High, DefaultDoc: "none",
		Doc: "Where a copy of each request is sent; what comes back is thrown away. Without a path it is asked for the request's own. The host is looked up by the controller, " +
			"so that one which is not there is an Event and hurts no request.",
		Check: option.Check[MirrorTarget]{
			Values: "an http or https URL, in whose path may be `$" + strings.Join(mirrorVariables, "`, `$") + "`",
			Parse:  parseTarget,
		},
	}
	mirrorHost = option.Key[string]{
		Name: "mirror-host", Risk: option.High, DefaultDoc: "that of `mirror-target`", Check: option.HostPort,
		Doc: "The Host header of the copies.",
	}
	mirrorBody = option.Key[bool]{
		Name: "mirror-request-body", Default: true, Check: option.Switch,
		Doc: "Sends the body with the copy. The whole body is read first then.",
	}
)

func readMirror(r *option.Reader) Mirror {
	m := Mirror{
		Target:   lookup(r, mirrorTarget),
		Host:     lookup(r, mirrorHost),
		SkipBody: !mirrorBody.Get(r),
	}
	if m.Target == (MirrorTarget{}) {
		return Mirror{}
	}
	return m
}

func parseTarget(s string) (MirrorTarget, error) {
	m := targetShape.FindStringSubmatch(s)
	if m == nil || len(s) > 1000 {
		return MirrorTarget{}, fmt.Errorf("%.80q is not an http or https URL with a host", s)
	}
	u, err := url.Parse(m[1] + "://" + m[2])
	if err != nil || u.User != nil {
		return MirrorTarget{}, fmt.Errorf("%.80q is not a host with or without a port", m[2])
	}
	t := MirrorTarget{Scheme: m[1], Host: u.Hostname(), Port: map[string]int{"http": 80, "https": 443}[m[1]], Rest: m[3]}
	if a, bad := netip.ParseAddr(t.Host); bad == nil && a.Zone() == "" {
		t.Host = a.Unmap().String()
	} else if t.Host, err = option.DNSName.Parse(t.Host); err != nil {
		return MirrorTarget{}, err
	}
	if u.Port() != "" {
		if t.Port, err = option.Int(1, 65535).Parse(u.Port()); err != nil {
			return MirrorTarget{}, err
		}
	}
	if err := checkRest(t.Rest); err != nil {
		return MirrorTarget{}, err
	}
	switch {
	case t.Rest == "":
		t.Rest = "$request_uri"
	case t.Rest[0] == '?':
		t.Rest = "/" + t.Rest
	}
	return t, nil
}

// checkRest lets through what can stand in a request line, and variables that
// can. Only the whole URI may come first in the place of a slash.
func checkRest(rest string) error {
	if !restShape.MatchString(rest) {
		return fmt.Errorf("%.80q is not a path, with arguments where wanted", rest)
	}
	for _, m := range variable.FindAllStringSubmatch(rest, -1) {
		if name := m[1] + m[2]; !slices.Contains(mirrorVariables, name) {
			return fmt.Errorf("$%.80s is not one of $%s", name, strings.Join(mirrorVariables, ", $"))
		}
	}
	if rest != "" && rest[0] == '$' && !strings.HasPrefix(rest, "$request_uri") && !strings.HasPrefix(rest, "${request_uri}") {
		return fmt.Errorf("%.80q does not begin with a slash or $request_uri", rest)
	}
	return nil
}
