package annotation

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// An AuthURL is where a server is asked. The zero one is nowhere.
type AuthURL struct {
	Scheme string      // http, https, or Nowhere
	Host   string      // a name or an address; "" is the host of the request
	Port   int         // 0: that of the scheme
	Rest   option.List // a Template of path and arguments
}

// Nowhere is the scheme of a URL that can't be asked.
const Nowhere = "none"

// Authority is the host with its port where that is not the scheme's.
func (u AuthURL) Authority() string {
	if u.Host == "" {
		return ""
	}
	t := MirrorTarget{Scheme: u.Scheme, Host: u.Host, Port: u.Number()}
	return t.Authority()
}

// Number is the port.
func (u AuthURL) Number() int {
	switch {
	case u.Port != 0:
		return u.Port
	case u.Scheme == "https":
		return 443
	}
	return 80
}

// authVariables are parts of the request that URLs, keys and headers may be
// made of, beside its headers, cookies and arguments.
var authVariables = strings.Fields(`host http_host best_http_host request_uri escaped_request_uri uri scheme pass_access_scheme args is_args query_string
	request_method remote_addr remote_user server_port server_name request_id`)

var (
	authShape      = regexp.MustCompile(`^(https?)://([^/?#$]+|\$host(?::[0-9]+)?|\$\{host\}(?::[0-9]+)?)(.*)$`)
	authRest       = regexp.MustCompile(`^[!$%&()*+,\-./0-9:;=?@A-Z\[\]_a-z{}~]*$`)
	partOf         = regexp.MustCompile(`\$\{?((?:arg|cookie|http)_[a-z0-9_]+)`)
	authHeaderName = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9_]{0,199}$`)
)

// RequestTemplate is a Template of a request's parts.
func RequestTemplate(s string) (option.List, error) {
	names := slices.Clone(authVariables)
	for _, m := range partOf.FindAllStringSubmatch(s, -1) {
		names = append(names, m[1])
	}
	if len(s) > 2000 {
		return "", fmt.Errorf("%.80q… is longer than 2000 bytes", s)
	}
	if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\uFFFD' }) {
		return "", fmt.Errorf("%.80q has a control character", s)
	}
	parts, err := option.Template(s, names...)
	if err != nil {
		return "", fmt.Errorf("%w, and $arg_…, $cookie_…, $http_…", err)
	}
	return parts, nil
}

// authURL accepts a URL and prints nothing of it but its parts.
var authURL = option.Check[AuthURL]{
	Values: "an http or https URL, of which `$host` may be the host, and in whose path may be `$" + strings.Join(authVariables, "`, `$") + "`, `$arg_…`, `$cookie_…` and `$http_…`",
	Parse: func(s string) (AuthURL, error) {
		m := authShape.FindStringSubmatch(s)
		if m == nil {
			return AuthURL{}, fmt.Errorf("%.80q is not an http or https URL with a host", s)
		}
		u := AuthURL{Scheme: m[1]}
		if err := u.authority(strings.Replace(m[2], "${host}", "$host", 1)); err != nil {
			return AuthURL{}, err
		}
		rest := m[3]
		switch {
		case !authRest.MatchString(rest):
			return AuthURL{}, fmt.Errorf("%.80q has characters that a path or arguments have not", rest)
		case rest == "" || rest[0] == '?':
			rest = "/" + rest
		case rest[0] != '/' && !requestURI.MatchString(rest):
			return AuthURL{}, fmt.Errorf("%.80q does not begin with a slash or $request_uri", rest)
		}
		var err error
		u.Rest, err = RequestTemplate(rest)
		return u, err
	},
}

var (
	requestURI   = regexp.MustCompile(`^\$(request_uri\b|\{request_uri\})`)
	anyVariable  = regexp.MustCompile(`\$\{?[a-z_0-9]+\}?`)
	cacheKeyText = regexp.MustCompile(`^[-A-Za-z0-9_${}]+$`)
)

// authority reads host and port.
func (u *AuthURL) authority(text string) error {
	own := strings.HasPrefix(text, "$host")
	parsed, err := url.Parse(u.Scheme + "://" + strings.Replace(text, "$host", "h", 1))
	if err != nil || parsed.User != nil || parsed.Hostname() == "" {
		return fmt.Errorf("%.80q is not a host with or without a port", text)
	}
	if parsed.Port() != "" {
		if u.Port, err = option.Int(1, 65535).Parse(parsed.Port()); err != nil {
			return err
		}
	}
	if own {
		return nil
	}
	u.Host = parsed.Hostname()
	if a, bad := netip.ParseAddr(u.Host); bad == nil && a.Zone() == "" {
		u.Host = a.Unmap().String()
		return nil
	}
	u.Host, err = option.DNSName.Parse(u.Host)
	return err
}

// authSignin accepts a URL, or a path of the same host.
var authSignin = option.Check[option.List]{
	Values: "an http or https URL, or a path, in which the variables of `auth-url` may be",
	Parse: func(s string) (option.List, error) {
		if !redirectText.MatchString(s) {
			return "", fmt.Errorf("%.80q has characters that a URL has not", s)
		}
		plain := strings.NewReplacer("$scheme://", "http://", "$pass_access_scheme://", "http://").Replace(s)
		u, err := url.Parse(anyVariable.ReplaceAllString(plain, "x"))
		path := strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//")
		if err != nil || u.User != nil || !path && (u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "") {
			return "", fmt.Errorf("%.80q is no http or https URL", s)
		}
		return RequestTemplate(s)
	},
}

var authRedirect = option.Check[option.List]{
	Values: "a URL, in which the variables of `auth-url` may be",
	Parse: func(s string) (option.List, error) {
		if !redirectText.MatchString(s) {
			return "", fmt.Errorf("%.80q has characters that a URL has not", s)
		}
		return RequestTemplate(s)
	},
}

var authCacheKey = option.Check[option.List]{
	Values: "letters, digits, `-`, `_` and the variables of `auth-url`",
	Parse: func(s string) (option.List, error) {
		if !cacheKeyText.MatchString(s) {
			return "", fmt.Errorf("%.80q has other characters than letters, digits, -, _ and those of variables", s)
		}
		return RequestTemplate(s)
	},
}

// ofConnection are headers that say where a message ends, or who is asked: an
// answer's are not the request's.
var ofConnection = strings.Fields("connection content-length expect host keep-alive te trailer transfer-encoding upgrade")

// authHeader accepts the name of a header that may be handed on.
var authHeader = option.Check[string]{
	Values: "header names",
	Parse: func(s string) (string, error) {
		if !authHeaderName.MatchString(s) {
			return "", fmt.Errorf("%.80q is not the name of a header", s)
		}
		if slices.Contains(ofConnection, strings.ToLower(s)) {
			return "", fmt.Errorf("%.80q is of one connection, and can't be handed on", s)
		}
		return s, nil
	},
}

// AuthHeader reads a header that the server gets: the texts are "#" and its
// name, and then the parts of its value's Template.
func AuthHeader(name, value string) ([]string, error) {
	name, err := authHeader.Parse(name)
	if err != nil {
		return nil, err
	}
	parts, err := RequestTemplate(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return append([]string{"#" + name}, parts.All()...), nil
}

// authDurations accepts "200 202 5m, 401 1m"; without a status, 200, 301 and
// 302 are meant, as nginx has it.
var authDurations = option.Check[option.List]{
	Values: "statuses and a duration, such as `200 202 401 5m`; more of them after commas",
	Parse: func(s string) (option.List, error) {
		var all []string
		for part := range strings.SplitSeq(s, ",") {
			words := strings.Fields(part)
			if len(words) == 0 {
				continue
			}
			last := len(words) - 1
			seconds, err := durationText(words[last])
			if err != nil {
				return "", err
			}
			if last == 0 {
				words = []string{"200", "301", "302", ""}
			}
			for _, status := range words[:len(words)-1] {
				if _, err := option.Int(100, 599).Parse(status); err != nil {
					return "", fmt.Errorf("%.40q is not a status", status)
				}
				all = append(all, status+"="+seconds)
			}
		}
		return option.ListOf(all...), nil
	},
}

var durationShape = regexp.MustCompile(`^([1-9][0-9]{0,8})(ms|[smhdwMy])$`)

const day = 24 * time.Hour

var durationUnits = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": day, "w": 7 * day, "M": 30 * day, "y": 365 * day,
}

// durationText turns one of nginx's durations, of up to a year, into seconds.
func durationText(s string) (string, error) {
	m := durationShape.FindStringSubmatch(s)
	if m == nil {
		return "", fmt.Errorf("%.40q is not a duration such as 5m", s)
	}
	n, _ := strconv.Atoi(m[1]) // digits, as many as an int has
	unit := durationUnits[m[2]]
	if n > int(365*day/unit) {
		return "", fmt.Errorf("%.40q is more than a year", s)
	}
	return strconv.FormatFloat((time.Duration(n) * unit).Seconds(), 'f', -1, 64), nil
}
