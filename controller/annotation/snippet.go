package annotation

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Snippet is nginx directives that a user wrote, parsed and found harmless.
// Each list is a Directives.
type Snippet struct {
	Location    option.List
	Server      option.List
	Auth        option.List // for the location that asks the auth server
	ModSecurity SecRules    // for a file of their own
	Stream      option.List // Streams
}

const snippetDoc = " It needs `allow-snippet-annotations`, and `annotations-risk-level` `Critical`, in the ConfigMap. Its directives are parsed, " +
	"checked against a list of harmless ones, and printed afresh; one that is not on the list makes the value wrong."

var (
	configurationSnippet = option.Key[option.List]{
		Name: "configuration-snippet", Check: snippetCheck(inLocation), DefaultDoc: "none", Risk: option.Critical,
		Doc: "nginx directives for the Ingress's locations." + snippetDoc,
	}
	serverSnippet = option.Key[option.List]{
		Name: "server-snippet", Check: snippetCheck(inServer), DefaultDoc: "none", Risk: option.Critical,
		Doc: "nginx directives for the Ingress's hosts, whoever else has paths there." + snippetDoc,
	}
	authSnippet = option.Key[option.List]{
		Name: "auth-snippet", Check: snippetCheck(inAuth), DefaultDoc: "none", Risk: option.Critical,
		Doc: "nginx directives for the request to the server of `auth-url`: its headers, by `proxy_set_header`. Another directive closes the location with 503, for no location of nginx's asks." + snippetDoc,
	}
	streamSnippet = option.Key[option.List]{
		Name: "stream-snippet", Check: StreamSnippet, DefaultDoc: "none", Risk: option.Critical,
		Doc: "Servers of nginx's stream block: `server { listen 9000; proxy_pass web.shop.svc:80; }`, with `udp` and `proxy_protocol` of `listen`, and `proxy_protocol`, `proxy_timeout`, " +
			"`proxy_connect_timeout` and `proxy_responses`. Ports are from 1024 on, and whose Ingress is the oldest has one. `proxy_pass` names a Service by its DNS name, of the Ingress's namespace unless " +
			"the ConfigMap has `allow-cross-namespace-resources`." + snippetDoc,
	}
	modSecuritySnippet = option.Key[SecRules]{
		Name: "modsecurity-snippet", Check: Rules, DefaultDoc: "none", Risk: option.Critical,
		Doc: "Rules of ModSecurity's own language, for the Ingress's locations, where ModSecurity is on. They come before the recommended configuration and the " +
			"OWASP Core Rule Set, and what they set counts. Nothing of them may read or write files, run programs, ask other machines, or keep anything from one request " +
			"to the next; ids 200000 to 200999 and from 901000 are taken. `Include` knows the two files by which ingress-nginx named the recommended configuration and the " +
			"OWASP Core Rule Set, and adds these. `\\\\`, `\\'` and `\\\"` mean what they mean between quotes of nginx.conf, into which ingress-nginx put the text; the quotes may stand alone." + snippetDoc,
	}
)

func readSnippet(r *option.Reader, allowed bool) Snippet {
	rules := snippetOf(r, modSecuritySnippet, allowed)
	for _, name := range rules.Unused.All() {
		r.Warn(modSecuritySnippet.Name, fmt.Sprintf("directive %s has no effect: where entries of logs go is not for rules to say", name))
	}
	return Snippet{
		Location:    snippetOf(r, configurationSnippet, allowed),
		Server:      snippetOf(r, serverSnippet, allowed),
		Auth:        snippetOf(r, authSnippet, allowed),
		ModSecurity: rules,
		Stream:      snippetOf(r, streamSnippet, allowed),
	}
}

// snippetOf is the key's value, where the operator allows any at all.
func snippetOf[T any](r *option.Reader, k option.Key[T], allowed bool) T {
	v, ok := k.Lookup(r)
	if ok && !allowed {
		var none T
		r.Reject(k.Name, "snippets are off: the ConfigMap's allow-snippet-annotations is not true")
		return none
	}
	return v
}

// A directive of nginx, as it was read.
type directive struct {
	words []string
	block []directive // of an if
}

// What opens and closes a block in a list. No word has these bytes.
const (
	BlockOpen  = "\x02"
	BlockClose = "\x03"
)

// separator parts the words of a directive in a list; no word has it.
const separator = "\x1f"

// Directives are the words of each directive of a list that a snippet became.
// One that opens a block ends in BlockOpen, and the block in a lone BlockClose.
func Directives(l option.List) [][]string {
	var all [][]string
	for _, line := range l.All() {
		all = append(all, strings.Split(line, separator))
	}
	return all
}

// Line is the words of a directive as they are in such a list.
func Line(words []string) string { return strings.Join(words, separator) }

func printed(all []directive) []string {
	var lines []string
	for _, d := range all {
		if d.block == nil {
			lines = append(lines, Line(d.words))
			continue
		}
		lines = append(lines, Line(append(d.words, BlockOpen)))
		lines = append(append(lines, printed(d.block)...), BlockClose)
	}
	return lines
}

// snippetCheck accepts directives that are harmless in a place.
func snippetCheck(in place) option.Check[option.List] {
	return directivesCheck(func() checker { return checker{in: in, own: map[string]bool{}, seen: map[string]bool{}} }, func(checker) {})
}

// directivesCheck accepts directives that a checker finds harmless, and hands
// the checker on then.
func directivesCheck(begin func() checker, taken func(checker)) option.Check[option.List] {
	return option.Check[option.List]{
		Values: "nginx directives",
		Parse: func(s string) (option.List, error) {
			c := begin()
			if most := c.most(); len(s) > most {
				return "", fmt.Errorf("is longer than %d bytes", most)
			}
			tree, err := parseDirectives(s)
			if err != nil {
				return "", err
			}
			out, err := c.all(tree)
			if err != nil {
				return "", err
			}
			if err := writable(out); err != nil {
				return "", err
			}
			taken(c)
			return option.ListOf(printed(out)...), nil
		},
	}
}

// writable refuses what can't be written down as one word; see package template.
func writable(all []directive) error {
	for _, d := range all {
		for _, word := range d.words {
			if strings.HasSuffix(word, `\`) || strings.ContainsFunc(word, unicode.IsControl) {
				return fmt.Errorf("directive %.60q: %.60q ends in a backslash, or has a control character", d.words[0], word)
			}
		}
		if err := writable(d.block); err != nil {
			return err
		}
	}
	return nil
}

// most is how long a snippet may be, in bytes: a map may have many entries.
func (c *checker) most() int {
	if c.in == inHTTP {
		return 256 << 10
	}
	return 16 << 10
}
