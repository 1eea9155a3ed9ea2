package annotation

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// SecRules is rules of ModSecurity that users wrote, parsed, found harmless and
// printed afresh. It is comparable.
type SecRules struct {
	Text string // a line for each directive
	// Audit are those directives that say what is written to the audit log.
	Audit option.List
	// Base and Core say that the rules include, by the names of ingress-nginx's
	// files, the recommended configuration and the OWASP Core Rule Set.
	Base, Core bool
	IDs        option.List // of its rules
	Defaults   bool        // has a SecDefaultAction
	// Unused are the names of directives that were left out.
	Unused option.List
}

// Empty says whether nobody wrote any.
func (r SecRules) Empty() bool { return r == SecRules{} }

// Rules accepts rules of ModSecurity that judge the request at hand, and leave
// alone files, programs, other machines, and what is kept between requests.
var Rules = option.Check[SecRules]{Values: "rules of ModSecurity", Parse: parseSecRules}

const maxSecRules = 16 << 10

// ingress-nginx put the text between quotes into nginx.conf, so nginx undid
// these; texts that were written for it have them.
var secUnquoted = strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\"`, `"`)

func parseSecRules(s string) (SecRules, error) {
	if len(s) > maxSecRules {
		return SecRules{}, fmt.Errorf("is longer than %d bytes", maxSecRules)
	}
	p := secParser{defaults: map[string]secActions{}}
	text := secUnquoted.Replace(strings.ReplaceAll(s, "\r\n", "\n"))
	var first, then []string
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\\\n", ""), "\n") {
		switch line = strings.TrimSpace(line); {
		case line == "" || line[0] == '#':
		case isDefault.MatchString(line):
			first = append(first, line) // what block means, before those that say it
		default:
			then = append(then, line)
		}
	}
	for _, line := range append(first, then...) {
		if err := p.directive(line); err != nil {
			name, _, _ := strings.Cut(line, " ")
			return SecRules{}, fmt.Errorf("directive %.60q %w", name, err)
		}
	}
	p.out.Defaults = len(p.defaults) > 0
	if p.chained {
		return SecRules{}, fmt.Errorf("ends within a chain of rules")
	}
	p.out.Text = strings.Join(p.lines, "\n")
	if len(p.lines) > 0 {
		p.out.Text += "\n"
	}
	p.out.Audit = option.ListOf(p.audit...)
	p.out.IDs, p.out.Unused = option.ListOf(p.ids...), option.ListOf(p.unused...)
	return p.out, nil
}

var isDefault = regexp.MustCompile(`(?i)^SecDefaultAction\b`)

type secParser struct {
	out      SecRules
	lines    []string
	audit    []string
	ids      []string
	unused   []string
	defaults map[string]secActions // by phase, of SecDefaultAction
	chained  bool                  // the last rule goes on with the next one
}

func (p *secParser) directive(line string) error {
	words, err := secWords(line)
	if err != nil {
		return err
	}
	d, ok := secDirectives[strings.ToLower(words[0])]
	if !ok {
		return fmt.Errorf("is not one of those that are known to be harmless here")
	}
	if p.chained && d.name != "SecRule" {
		return fmt.Errorf("stands where a chain wants its next SecRule")
	}
	args, err := d.args(p, words[1:])
	if err != nil {
		return err
	}
	switch {
	case args != "" && strings.HasPrefix(d.name, "SecAudit"):
		p.audit = append(p.audit, d.name+" "+args)
	case args != "":
		p.lines = append(p.lines, d.name+" "+args)
	case d.name != "Include":
		p.unused = append(p.unused, d.name)
	}
	return nil
}

// secWords parts a line. A word in double quotes may have spaces; a backslash
// keeps the quote after it in the word, and stays before it.
func secWords(line string) ([]string, error) {
	if i := strings.IndexFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c > '~' }); i >= 0 {
		return nil, fmt.Errorf("has a character that is not printable ASCII")
	}
	var words []string
	for rest := line; rest != ""; rest = strings.TrimLeft(rest, " \t") {
		end := strings.IndexAny(rest, " \t")
		if rest[0] == '"' {
			end = secQuoted.FindStringIndex(rest + " ")[1] - 1
			if end <= 0 {
				return nil, fmt.Errorf("has a quote that is not closed, or something behind one that is")
			}
			words, rest = append(words, rest[1:end-1]), rest[end:]
			continue
		}
		if end < 0 {
			end = len(rest)
		}
		if strings.ContainsAny(rest[:end], `"\`) {
			return nil, fmt.Errorf("has a quote or a backslash in %.60q, which has none around it", rest[:end])
		}
		words, rest = append(words, rest[:end]), rest[end:]
	}
	return words, nil
}

// It always matches; an empty match is one that there is none of.
var secQuoted = regexp.MustCompile(`^(?:"(?:[^"\\]|\\.)*"[ \t])?`)

// A secDirective prints its arguments afresh, "" where nothing is to be said.
type secDirective struct {
	name string
	args func(p *secParser, words []string) (string, error)
}

// one is of a directive that takes one word.
func one(check func(string) (string, error)) func(*secParser, []string) (string, error) {
	return func(_ *secParser, words []string) (string, error) {
		if len(words) != 1 {
			return "", fmt.Errorf("takes one argument, and has %d", len(words))
		}
		return check(words[0])
	}
}

// list is of one that takes any number.
func list(check func(string) (string, error)) func(*secParser, []string) (string, error) {
	return func(_ *secParser, words []string) (string, error) {
		var out []string
		for _, w := range words {
			for part := range strings.FieldsFuncSeq(w, func(c rune) bool { return c == ' ' || c == ',' }) {
				text, err := check(part)
				if err != nil {
					return "", err
				}
				out = append(out, text)
			}
		}
		if len(out) == 0 {
			return "", fmt.Errorf("has no argument")
		}
		return strings.Join(out, " "), nil
	}
}

// among takes one of the words, in any case.
func among(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, s) })
		if i < 0 {
			return "", fmt.Errorf("takes %s, and not %.60q", strings.Join(words, ", "), s)
		}
		return words[i], nil
	}
}

func numbers(least, most int) func(string) (string, error) {
	return func(s string) (string, error) {
		n, err := option.Int(least, most).Parse(s)
		return strconv.Itoa(n), err
	}
}

func shaped(expression string) func(string) (string, error) {
	re := regexp.MustCompile(`^(?:` + expression + `)$`)
	return func(s string) (string, error) {
		if !re.MatchString(s) {
			return "", fmt.Errorf("can't have %.60q as its argument", s)
		}
		return s, nil
	}
}

// unused is of a directive that is left out.
func unused(*secParser, []string) (string, error) { return "", nil }

// include knows two files by the names that ingress-nginx's image had.
func include(p *secParser, words []string) (string, error) {
	switch strings.Join(words, " ") {
	case "/etc/nginx/modsecurity/modsecurity.conf":
		p.out.Base = true
	case "/etc/nginx/owasp-modsecurity-crs/nginx-modsecurity.conf":
		p.out.Core = true
	default:
		return "", fmt.Errorf("may name no file but /etc/nginx/modsecurity/modsecurity.conf and /etc/nginx/owasp-modsecurity-crs/nginx-modsecurity.conf")
	}
	return "", nil
}
