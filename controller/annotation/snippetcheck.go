package annotation

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// A place is where directives stand.
type place int

const (
	inLocation place = 1 << iota
	inServer
	inAuth
	inIf // of a location or a server
	// The ConfigMap's alone.
	inMain
	inHTTP
	inOwnServer // a server that a snippet adds
)

// A checker finds the directives of one snippet harmless, or not.
type checker struct {
	in  place
	own map[string]bool // variables that it has set
	// zones are those that it may count in: the directive that uses each, by name.
	zones   map[string]string
	seen    map[string]bool // directives that nginx takes once
	general bool            // the ConfigMap's, which may use what databases of addresses say
	// decoded says that variables with line breaks in them do no harm here.
	decoded bool
}

// A rule is a directive that is harmless in some places. args checks its
// arguments, and prints them afresh.
type rule struct {
	in   place
	many bool // nginx takes it more than once
	args func(c *checker, args []string) ([]string, error)
}

var everywhere = inLocation | inServer | inAuth

func (c *checker) all(tree []directive) ([]directive, error) {
	out := []directive{}
	for _, d := range tree {
		checked, err := c.one(d)
		if err != nil {
			return nil, err
		}
		out = append(out, checked...)
	}
	return out, nil
}

func (c *checker) one(d directive) ([]directive, error) {
	name, args := d.words[0], d.words[1:]
	if name == "if" && d.block != nil && c.in&(inLocation|inServer|inOwnServer) != 0 {
		return c.condition(args, d.block)
	}
	if d.block != nil {
		return c.block(name, args, d.block)
	}
	r, ok := rules[name]
	if !ok || r.in&c.in == 0 {
		return nil, unknown(name)
	}
	if c.seen[name] && !r.many {
		return nil, fmt.Errorf("directive %s stands there twice", name)
	}
	c.seen[name] = true
	if name == "more_set_headers" || name == "more_clear_headers" {
		return c.moreHeaders(name, args)
	}
	checked, err := r.args(c, args)
	if err != nil {
		return nil, fmt.Errorf("directive %s: %w", name, err)
	}
	return []directive{{words: append([]string{name}, checked...)}}, nil
}

// condition checks an if: what it compares, and that its block does no more
// than answer, set and rewrite.
func (c *checker) condition(args []string, block []directive) ([]directive, error) {
	parts, ok := parenthesized(args)
	if !ok {
		return nil, fmt.Errorf("directive if: the condition is not in parentheses")
	}
	if len(parts) != 1 && len(parts) != 3 {
		return nil, fmt.Errorf("directive if: the condition is neither ($variable) nor ($variable operator text)")
	}
	decoded := checker{own: c.own, general: c.general, decoded: true} // it is compared, and goes nowhere
	variable, err := decoded.variables(parts[0])
	if variable = strings.NewReplacer("{", "", "}", "").Replace(variable); err != nil || !comparedVariable.MatchString(variable) {
		return nil, fmt.Errorf("directive if: %.60q is not a variable that may be compared", parts[0])
	}
	words := []string{"if", "(" + variable, ")"}
	if len(parts) == 3 {
		value, err := c.operand(parts[1], parts[2])
		if err != nil {
			return nil, fmt.Errorf("directive if: %w", err)
		}
		words = []string{"if", "(" + variable, parts[1], value, ")"}
	}
	inner := checker{in: inIf, own: c.own, general: c.general, seen: map[string]bool{}}
	checked, err := inner.all(block)
	if err != nil {
		return nil, err
	}
	return []directive{{words: words, block: checked}}, nil
}

var comparedVariable = regexp.MustCompile(`^\$\w+$`)

// parenthesized are the words between the parentheses of an if.
func parenthesized(args []string) ([]string, bool) {
	all := strings.Join(args, "\x00")
	if len(args) == 0 || len(all) < 2 || all[0] != '(' || all[len(all)-1] != ')' {
		return nil, false
	}
	parts := strings.Split(all[1:len(all)-1], "\x00")
	if parts[0] == "" {
		parts = parts[1:]
	}
	if last := len(parts) - 1; last > 0 && parts[last] == "" && args[len(args)-1] == ")" {
		parts = parts[:last]
	}
	return parts, true
}

func (c *checker) operand(operator, value string) (string, error) {
	switch operator {
	case "=", "!=":
		if strings.Contains(value, "$") {
			return "", fmt.Errorf("%.60q is compared as it stands there; it may hold no $", value)
		}
		return value, nil
	case "~", "~*", "!~", "!~*":
		return value, HarmlessRegex(value)
	}
	return "", fmt.Errorf("%.20q is not an operator that may be used", operator)
}

// HarmlessRegex holds an expression to what Go, which takes no time of its
// own, compiles as well, and to groups that don't nest: nginx has copied
// overlapping captures beyond their memory (CVE-2026-9256). A group with a name
// would set the variable of that name, which may be one of ours.
func HarmlessRegex(text string) error {
	re, err := regexp.Compile(text)
	if err != nil || text == "" || len(text) > 500 || strings.ContainsFunc(text, unicode.IsControl) {
		return fmt.Errorf("%.60q is not a regular expression that may be used", text)
	}
	if slices.ContainsFunc(re.SubexpNames(), func(name string) bool { return name != "" }) {
		return fmt.Errorf("%.60q has a group with a name", text)
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth > 1 {
			return fmt.Errorf("the groups of %.60q nest", text)
		}
	}
	return nil
}

var variableText = regexp.MustCompile(`\$(\{[^}]*\}|[A-Za-z0-9_]*)`)

// known are nginx's variables that tell of the request and its answer alone.
var known = regexp.MustCompile(`^(args|is_args|query_string|request_uri|request_method|request_id|req_id|request_length|request_time|` +
	`scheme|https|host|http_[a-z0-9_]+|arg_[A-Za-z0-9_]+|cookie_[A-Za-z0-9_]+|sent_http_[a-z0-9_]+|upstream_http_[a-z0-9_]+|` +
	`upstream_addr|upstream_status|upstream_response_time|remote_addr|remote_port|server_addr|server_port|server_name|server_protocol|` +
	`status|body_bytes_sent|bytes_sent|content_type|content_length|time_iso8601|time_local|msec|connection|connection_requests|best_http_host|` +
	`ssl_protocol|ssl_cipher|ssl_session_reused|ssl_client_verify|ssl_client_s_dn|ssl_client_i_dn|ssl_client_serial|ssl_client_fingerprint|` +
	`ssl_client_escaped_cert|proxy_add_x_forwarded_for)$`)

// unescaped are variables that a client may bring a line break into.
var unescaped = regexp.MustCompile(`^([1-9]|uri|document_uri|remote_user|ssl_server_name)$`)

// ownPrefix keeps a snippet's variables apart from all others.
const ownPrefix = "snippet_"

// variables prints a text whose variables are known, or the snippet's own.
func (c *checker) variables(text string) (string, error) {
	var bad error
	out := variableText.ReplaceAllStringFunc(text, func(found string) string {
		name := strings.Trim(found[1:], "{}")
		switch {
		case c.own[name]:
			return "${" + ownPrefix + name + "}"
		case known.MatchString(name), c.general && IsGeoVariable(name), c.decoded && unescaped.MatchString(name):
			if len(name) == 1 {
				return "$" + name
			}
			return "${" + name + "}"
		}
		bad = fmt.Errorf("%.60q is not a variable that may be used", found)
		return ""
	})
	if bad == nil && len(out) > 1900 {
		bad = fmt.Errorf("%.60q… is longer than 1900 bytes", text)
	}
	if bad == nil && strings.HasSuffix(out, `\`) {
		bad = fmt.Errorf("%.60q ends in a backslash", text)
	}
	return out, bad
}

// moreHeaders turns directives of a module that Debian's nginx may lack into
// those that come to the same.
func (c *checker) moreHeaders(name string, args []string) ([]directive, error) {
	var out []directive
	for _, arg := range args {
		header, value, ok := strings.Cut(arg, ":")
		if !headerName.MatchString(header) || ok != (name == "more_set_headers") {
			return nil, fmt.Errorf("directive %s: %.60q is not a header", name, arg)
		}
		out = append(out, directive{words: []string{"proxy_hide_header", header}})
		if ok {
			text, err := c.variables(strings.TrimSpace(value))
			if err != nil {
				return nil, fmt.Errorf("directive %s: %w", name, err)
			}
			out = append(out, directive{words: []string{"add_header", header, text, "always"}})
		}
	}
	return out, nil
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9][-_A-Za-z0-9]{0,99}$`)

func statusFrom(text string, least, most int) error {
	if n, err := strconv.Atoi(text); err != nil || n < least || n > most || len(text) != 3 {
		return fmt.Errorf("%.20q is not a status from %d to %d", text, least, most)
	}
	return nil
}

// checked makes arguments of a check of one value.
func checked[T any](check option.Check[T]) func(*checker, []string) ([]string, error) {
	return func(_ *checker, args []string) ([]string, error) {
		if len(args) != 1 {
			return nil, fmt.Errorf("takes one argument")
		}
		_, err := check.Parse(args[0])
		return args, err
	}
}
