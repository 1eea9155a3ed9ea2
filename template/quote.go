package template

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var bare = regexp.MustCompile(`^[-/._~a-zA-Z0-9:@%+]+$`)

var (
	errControl   = errors.New("text with control characters can't be written into nginx.conf")
	errBackslash = errors.New("text that ends in a backslash can't be written into nginx.conf")
)

// quote writes a text as one word of nginx.conf, so that nginx, and every other
// reader of the file, reads back just that text. It is for places in which
// nginx does not look for variables, or where variables are meant. It refuses
// what has no business in a path, a host or a format: control characters, and
// a backslash at the end, which some readers take for an escaped quote.
func quote(s string) (string, error) {
	if bare.MatchString(s) {
		return s, nil
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "", fmt.Errorf("%w: %q", errControl, s)
		}
	}
	if strings.HasSuffix(s, `\`) {
		return "", fmt.Errorf("%w: %q", errBackslash, s)
	}
	mark := `"`
	if strings.Contains(s, `"`) && !strings.Contains(s, `'`) {
		mark = `'`
	}
	// Within quotes nginx undoes a backslash before a quote, a backslash, and
	// t, r, n; before anything else it keeps it (ngx_conf_read_token).
	return mark + strings.NewReplacer(`\`, `\\`, mark, `\`+mark).Replace(s) + mark, nil
}

var hostText = regexp.MustCompile(`^(\*\.)?[a-z0-9_]([-a-z0-9_.]*[a-z0-9_])?$`)

// serverName writes a host as nginx's server_name. nginx's own wildcard takes
// any number of labels and an Ingress's takes one, so that is an expression.
func serverName(host string) (string, error) {
	if host == "" {
		return "_", nil
	}
	if !hostText.MatchString(host) {
		return "", fmt.Errorf("%q is not a host", host)
	}
	parent, wildcard := strings.CutPrefix(host, "*.")
	if !wildcard {
		return host, nil
	}
	return quote(`~^[^.]+\.` + regexp.QuoteMeta(parent) + `$`)
}

// aliasName writes a further name of a server: a host, or "~" and an expression.
func aliasName(alias string) (string, error) {
	if strings.HasPrefix(alias, "~") {
		return quote(alias)
	}
	return serverName(alias)
}

// nginxTime writes a duration with the unit that loses nothing.
func nginxTime(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.Itoa(int(d/time.Second)) + "s"
	}
	return strconv.Itoa(int(d/time.Millisecond)) + "ms"
}

// luaNumbers writes the elements of a Lua list.
func luaNumbers(list []float64) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strings.Join(texts, ", ")
}
