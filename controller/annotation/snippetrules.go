package annotation

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

var mediaTypes = option.Pattern(`[a-z]+/[-+.*a-z0-9]+`, "a media type")

func once(in place, check func(*checker, []string) ([]string, error)) rule {
	return rule{in: in, args: check}
}

func many(in place, check func(*checker, []string) ([]string, error)) rule {
	return rule{in: in, many: true, args: check}
}

var (
	snippetSize = option.Pattern(`[0-9]{1,9}[kKmM]?`, "a size")
	snippetTime = option.Pattern(`[0-9]{1,8}(ms|s|m|h|d)?`, "a time")
)

// rules are all directives that are known to be harmless.
var rules = map[string]rule{
	"add_header":              many(inLocation|inServer|inOwnServer|inHTTP, addHeader),
	"more_set_headers":        many(inLocation|inServer|inOwnServer|inHTTP, nil),
	"more_clear_headers":      many(inLocation|inServer|inOwnServer|inHTTP, nil),
	"proxy_set_header":        many(everywhere, proxySetHeader),
	"proxy_hide_header":       many(inLocation|inServer|inOwnServer|inHTTP, oneHeader),
	"set":                     many(everywhere|inOwnServer|inIf, setVariable),
	"return":                  many(inLocation|inServer|inOwnServer|inIf, answer),
	"rewrite":                 many(inLocation|inServer|inOwnServer|inIf, rewriteURI),
	"allow":                   many(inLocation|inServer|inOwnServer, addresses),
	"deny":                    many(inLocation|inServer|inOwnServer, addresses),
	"error_page":              many(inLocation, replacedStatus),
	"sub_filter":              many(inLocation, twoTexts),
	"sub_filter_once":         once(inLocation, checked(option.OneOf("on", "off"))),
	"expires":                 once(inLocation|inServer|inOwnServer, checked(option.Pattern(`off|max|epoch|-?[0-9]{1,8}[smhd]?`, "a time, off, max or epoch"))),
	"etag":                    once(inLocation|inServer|inOwnServer, checked(option.OneOf("on", "off"))),
	"gzip":                    once(inLocation|inServer, checked(option.OneOf("on", "off"))),
	"gzip_vary":               once(inLocation|inServer, checked(option.OneOf("on", "off"))),
	"gzip_comp_level":         once(inLocation|inServer, checked(option.Int(1, 9))),
	"gzip_min_length":         once(inLocation|inServer, checked(option.Int(0, 1<<30))),
	"gzip_types":              once(inLocation|inServer, types),
	"charset":                 once(inLocation|inServer|inOwnServer, checked(option.OneOf("utf-8", "iso-8859-1", "off"))),
	"default_type":            once(inLocation|inServer|inOwnServer, checked(mediaTypes)),
	"client_max_body_size":    once(inServer, checked(snippetSize)),
	"proxy_connect_timeout":   once(inServer|inAuth, checked(snippetTime)),
	"proxy_send_timeout":      once(inServer|inAuth, checked(snippetTime)),
	"proxy_read_timeout":      once(inServer|inAuth, checked(snippetTime)),
	"proxy_buffering":         once(inServer, checked(option.OneOf("on", "off"))),
	"limit_req_zone":          many(inHTTP, zone("limit_req", true)),
	"limit_conn_zone":         many(inHTTP, zone("limit_conn", false)),
	"limit_req":               many(inLocation|inServer|inOwnServer, limitRequests),
	"limit_conn":              many(inLocation|inServer|inOwnServer, limitInZone),
	"listen":                  many(inOwnServer, listen),
	"server_name":             once(inOwnServer, serverNames),
	"worker_priority":         once(inMain, checked(option.Int(-20, 19))),
	"pcre_jit":                once(inMain, checked(option.OneOf("on", "off"))),
	"timer_resolution":        once(inMain, checked(snippetTime)),
	"worker_rlimit_core":      once(inMain, checked(snippetSize)),
	"thread_pool":             many(inMain, threads),
	"env":                     many(inMain, checked(option.Pattern(`[A-Z_][A-Z0-9_]*`, "a variable's name"))),
	"proxy_request_buffering": once(inServer, checked(option.OneOf("on", "off"))),
}

func addHeader(c *checker, args []string) ([]string, error) {
	if len(args) == 3 && args[2] == "always" {
		head, err := addHeader(c, args[:2])
		return append(head, "always"), err
	}
	if len(args) != 2 || !headerName.MatchString(args[0]) {
		return nil, fmt.Errorf("takes a header, its value, and always where wanted")
	}
	value, err := c.variables(args[1])
	return []string{args[0], value}, err
}

// framing are the headers that say where a request ends; a wrong one would
// make a part of it another request.
var framing = []string{"content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"}

func proxySetHeader(c *checker, args []string) ([]string, error) {
	if len(args) != 2 || !headerName.MatchString(args[0]) {
		return nil, fmt.Errorf("takes a header and its value")
	}
	if slices.Contains(framing, strings.ToLower(args[0])) {
		return nil, fmt.Errorf("%s may not be set", args[0])
	}
	value, err := c.variables(args[1])
	return []string{args[0], value}, err
}

func oneHeader(_ *checker, args []string) ([]string, error) {
	if len(args) != 1 || !headerName.MatchString(args[0]) {
		return nil, fmt.Errorf("takes a header")
	}
	return args, nil
}

var variableName = regexp.MustCompile(`^\$[a-z_][a-z0-9_]{0,60}$`)

func setVariable(c *checker, args []string) ([]string, error) {
	if len(args) != 2 || !variableName.MatchString(args[0]) {
		return nil, fmt.Errorf("takes a variable and its value")
	}
	value, err := c.variables(args[1])
	c.own[args[0][1:]] = true
	return []string{"$" + ownPrefix + args[0][1:], value}, err
}

func answer(c *checker, args []string) ([]string, error) {
	if len(args) < 1 || len(args) > 2 {
		return nil, fmt.Errorf("takes a status, and a text or URL where wanted")
	}
	if err := statusFrom(args[0], 200, 599); err != nil {
		return nil, err
	}
	if len(args) == 1 {
		return args, nil
	}
	text, err := c.variables(args[1])
	return []string{args[0], text}, err
}

// rewriteURI takes no question mark beside captures: nginx has counted the
// memory for those wrongly (CVE-2026-42945).
func rewriteURI(c *checker, args []string) ([]string, error) {
	if len(args) == 2 {
		args = append(slices.Clone(args), "last")
	}
	if len(args) != 3 || !slices.Contains([]string{"last", "break", "redirect", "permanent"}, args[2]) {
		return nil, fmt.Errorf("takes an expression, a replacement, and last, break, redirect or permanent where wanted")
	}
	if err := HarmlessRegex(args[0]); err != nil {
		return nil, err
	}
	if strings.Contains(args[1], "?") {
		return nil, fmt.Errorf("a question mark in the replacement is not taken")
	}
	decoded := checker{own: c.own, decoded: true} // nginx escapes what it puts in here
	text, err := decoded.variables(args[1])
	return []string{args[0], text, args[2]}, err
}

func addresses(_ *checker, args []string) ([]string, error) {
	if len(args) == 1 && args[0] == "all" {
		return args, nil
	}
	if len(args) != 1 {
		return nil, fmt.Errorf("takes an address, a CIDR or all")
	}
	text, err := option.CIDR.Parse(args[0])
	if a, e := netip.ParseAddr(text); e == nil {
		text = a.String()
	}
	return []string{text}, err
}

var ownPath = regexp.MustCompile(`^/[-_./a-zA-Z0-9]*$`)

// replacedStatus keeps refusals what they are: a page in their place could be one
// that nobody would have got.
func replacedStatus(_ *checker, args []string) ([]string, error) {
	if len(args) < 2 || !ownPath.MatchString(args[len(args)-1]) {
		return nil, fmt.Errorf("takes statuses and a path")
	}
	for _, status := range args[:len(args)-1] {
		if err := statusFrom(status, 400, 599); err != nil {
			return nil, err
		}
		if status == "401" || status == "403" || status == "499" {
			return nil, fmt.Errorf("%s may not be replaced", status)
		}
	}
	return args, nil
}

func twoTexts(c *checker, args []string) ([]string, error) {
	if len(args) != 2 || args[0] == "" {
		return nil, fmt.Errorf("takes two texts")
	}
	from, err := c.variables(args[0])
	if err != nil {
		return nil, err
	}
	to, err := c.variables(args[1])
	return []string{from, to}, err
}

func types(_ *checker, args []string) ([]string, error) {
	seen := map[string]bool{}
	for _, arg := range args {
		if _, err := mediaTypes.Parse(arg); err != nil || seen[arg] {
			return nil, fmt.Errorf("%.60q is not a media type, or is there twice", arg)
		}
		seen[arg] = true
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("takes media types")
	}
	return args, nil
}
