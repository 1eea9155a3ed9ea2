package annotation

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// mostEntries bounds a map: nginx builds a hash of them at each reload.
const mostEntries = 2000

// declared is the variable that a block of the http level declares, under our
// prefix.
func (c *checker) declared(text string) (string, error) {
	if !variableName.MatchString(text) {
		return "", fmt.Errorf("%.60q is not a variable's name in lower case", text)
	}
	c.own[text[1:]] = true
	return "$" + ownPrefix + text[1:], nil
}

// mapping is map: its source may be decoded, for it is compared and goes nowhere.
func (c *checker) mapping(args []string, block []directive) ([]directive, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf("takes a text and a variable")
	}
	decoded := checker{own: c.own, general: true, decoded: true}
	source, err := decoded.variables(args[0])
	if err != nil {
		return nil, err
	}
	entries, err := c.entries(block, func(words []string) ([]string, error) {
		if len(words) == 1 && (words[0] == "hostnames" || words[0] == "volatile") {
			return words, nil
		}
		if len(words) != 2 {
			return nil, fmt.Errorf("an entry takes a text and its value")
		}
		if err := mapKey(words[0]); err != nil {
			return nil, err
		}
		value, err := c.variables(words[1])
		return []string{words[0], value}, err
	})
	if err != nil {
		return nil, err
	}
	name, err := c.declared(args[1])
	return []directive{{words: []string{"map", source, name}, block: entries}}, err
}

func mapKey(key string) error {
	if expr, ok := strings.CutPrefix(key, "~"); ok {
		return HarmlessRegex(strings.TrimPrefix(expr, "*"))
	}
	if key == "include" || strings.HasPrefix(key, `\`) || strings.Contains(key, "$") || len(key) > 500 {
		return fmt.Errorf("%.60q is not an entry that may be used", key)
	}
	return nil
}

// entries checks each line of a block of values. None may be there twice.
func (c *checker) entries(block []directive, check func([]string) ([]string, error)) ([]directive, error) {
	if len(block) > mostEntries {
		return nil, fmt.Errorf("has more than %d entries", mostEntries)
	}
	out := []directive{}
	seen := map[string]bool{}
	for _, d := range block {
		if d.block != nil {
			return nil, fmt.Errorf("%.60q opens a block", d.words[0])
		}
		words, err := check(d.words)
		if err != nil {
			return nil, err
		}
		if key := strings.ToLower(words[0]); seen[key] {
			return nil, fmt.Errorf("%.60q stands there twice", words[0])
		} else {
			seen[key] = true
		}
		out = append(out, directive{words: words})
	}
	return out, nil
}

func (c *checker) geo(args []string, block []directive) ([]directive, error) {
	words := []string{"geo"}
	if len(args) == 2 {
		source, err := c.variables(args[0])
		if err != nil || !comparedVariable.MatchString(strings.NewReplacer("{", "", "}", "").Replace(source)) {
			return nil, fmt.Errorf("%.60q is not a variable with an address", args[0])
		}
		words, args = append(words, strings.NewReplacer("{", "", "}", "").Replace(source)), args[1:]
	}
	if len(args) != 1 {
		return nil, fmt.Errorf("takes a variable, and one with an address before it where wanted")
	}
	entries, err := c.entries(block, func(words []string) ([]string, error) {
		if len(words) != 2 || strings.Contains(words[1], "$") || len(words[1]) > 500 {
			return nil, fmt.Errorf("an entry takes a CIDR and its value, a text without variables")
		}
		if words[0] == "default" {
			return words, nil
		}
		cidr, err := option.CIDR.Parse(words[0])
		return []string{cidr, words[1]}, err
	})
	if err != nil {
		return nil, err
	}
	name, err := c.declared(args[0])
	return []directive{{words: append(words, name), block: entries}}, err
}

var percentage = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,2})?%$`)

func (c *checker) split(args []string, block []directive) ([]directive, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf("takes a text and a variable")
	}
	source, err := c.variables(args[0])
	if err != nil {
		return nil, err
	}
	total := 0.0
	out := []directive{}
	for i, d := range block {
		if len(d.words) != 2 || d.block != nil || strings.Contains(d.words[1], "$") || len(d.words[1]) > 500 {
			return nil, fmt.Errorf("an entry takes a percentage, or * at the end, and its value, a text without variables")
		}
		if last := i == len(block)-1; !percentage.MatchString(d.words[0]) && (d.words[0] != "*" || !last) {
			return nil, fmt.Errorf("%.20q is neither a percentage nor * at the end", d.words[0])
		}
		n, _ := strconv.ParseFloat(strings.TrimSuffix(d.words[0], "%"), 64) // * is 0
		if total += n; total > 100 || d.words[0] != "*" && n == 0 {
			return nil, fmt.Errorf("the percentages are not from 0 to 100 in all")
		}
		out = append(out, d)
	}
	name, err := c.declared(args[1])
	return []directive{{words: []string{"split_clients", source, name}, block: out}}, err
}

// server is one of the operator's own: it answers by itself.
func (c *checker) server(args []string, block []directive) ([]directive, error) {
	if len(args) != 0 {
		return nil, fmt.Errorf("takes no arguments")
	}
	inner := checker{in: inOwnServer, own: c.own, zones: c.zones, general: true, seen: map[string]bool{}}
	out, err := inner.all(block)
	if err == nil && !inner.seen["listen"] {
		err = fmt.Errorf("has no listen")
	}
	return []directive{{words: []string{"server"}, block: out}}, err
}

var plainLocation = regexp.MustCompile(`^/[-_./a-zA-Z0-9]*$`)

func (c *checker) location(args []string, block []directive) ([]directive, error) {
	path := ""
	if len(args) > 0 {
		path = args[len(args)-1]
	}
	kind := strings.Join(args[:max(len(args)-1, 0)], " ")
	switch kind {
	case "", "=", "^~":
		if !plainLocation.MatchString(path) {
			return nil, fmt.Errorf("%.60q is not a path that may be used", path)
		}
	case "~", "~*":
		if err := HarmlessRegex(path); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%.20q does not say how a path is matched", kind)
	}
	if key := "location " + kind + " " + path; c.seen[key] {
		return nil, fmt.Errorf("%s stands there twice", path)
	} else {
		c.seen[key] = true
	}
	inner := checker{in: inLocation, own: c.own, zones: c.zones, general: true, seen: map[string]bool{}}
	out, err := inner.all(block)
	return []directive{{words: append([]string{"location"}, args...), block: out}}, err
}

var listenAddress = regexp.MustCompile(`^(?:\*:|\[::\]:)?([0-9]{1,5})$`)

// ListenPort is the port of a listen that a snippet has.
func ListenPort(address string) int {
	m := listenAddress.FindStringSubmatch(address)
	if m == nil {
		return 0
	}
	port, _ := strconv.Atoi(m[1]) // digits
	return port
}

func listen(_ *checker, args []string) ([]string, error) {
	if len(args) == 0 || ListenPort(args[0]) < 1 || ListenPort(args[0]) > 65535 {
		return nil, fmt.Errorf("takes a port, of all addresses")
	}
	for _, word := range args[1:] {
		if word != "default_server" && word != "proxy_protocol" {
			return nil, fmt.Errorf("%.60q is not an option that may be used", word)
		}
	}
	return args, nil
}

var ownServerName = regexp.MustCompile(`^(\*\.|\.)?[a-z0-9_]([-a-z0-9_.]*[a-z0-9_])?(\.\*)?$`)

func serverNames(_ *checker, args []string) ([]string, error) {
	for i, name := range args {
		if !ownServerName.MatchString(name) || len(name) > 200 || slices.Contains(args[:i], name) {
			return nil, fmt.Errorf("%.60q is not a host that may be used", name)
		}
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("takes hosts")
	}
	return args, nil
}
