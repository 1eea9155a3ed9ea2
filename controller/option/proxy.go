package option

import (
	"regexp"
	"slices"
	"strings"
)

// NextUpstream accepts the cases in which another endpoint may be tried.
var NextUpstream = Words("error", "timeout", "invalid_header", "http_500", "http_502", "http_503", "http_504",
	"http_403", "http_404", "http_429", "non_idempotent", "off")

// CookieDomain accepts what is replaced in a cookie's domain and what it
// becomes. Neither can be an expression or hold a variable, but that the new
// domain may be the request's host.
var CookieDomain = pair(`\.?[-a-zA-Z0-9_][-.a-zA-Z0-9_]{0,253}`, `\.?[-a-zA-Z0-9_][-.a-zA-Z0-9_]{0,253}|\$host`,
	"`off`, or two domains, the latter of which may be `$host`")

// CookiePath does the same for a path.
var CookiePath = pair(`/[-/a-zA-Z0-9._~%:@!&=+,*]{0,500}`, `/[-/a-zA-Z0-9._~%:@!&=+,*]{0,500}`, "`off`, or two paths")

// pair accepts off, or two words parted by spaces, which it prints with one.
func pair(first, second, what string) Check[string] {
	from, to := regexp.MustCompile(`^(?:`+first+`)$`), regexp.MustCompile(`^(?:`+second+`)$`)
	return Check[string]{
		Values: what,
		Parse: func(s string) (string, error) {
			if s == "off" {
				return s, nil
			}
			words := strings.Fields(s)
			if len(words) != 2 || words[0] == "off" || !from.MatchString(words[0]) || !to.MatchString(words[1]) {
				return "", errorf("%s is not "+strings.ReplaceAll(what, "`", ""), s)
			}
			return strings.Join(words, " "), nil
		},
	}
}

var httpError = regexp.MustCompile(`^[45][0-9][0-9]$`)

// HTTPErrors accepts a list of statuses, which it sorts. nginx takes no page
// for 499, which is never answered.
var HTTPErrors = Check[List]{
	Values: "a list of statuses from 400 to 599, parted by commas",
	Parse: func(s string) (List, error) {
		var all []string
		for _, part := range split(s) {
			if !httpError.MatchString(part) || part == "499" {
				return "", errorf("%s is not a status from 400 to 599 that can be answered", part)
			}
			all = append(all, part)
		}
		slices.Sort(all)
		return ListOf(slices.Compact(all)...), nil
	},
}

var headerName = regexp.MustCompile(`^[-!#$%&'*+.^_|~0-9a-zA-Z]{1,200}$`)

// HeaderName accepts the name of a header.
var HeaderName = Check[string]{
	Values: "the name of a header",
	Parse: func(s string) (string, error) {
		if !headerName.MatchString(s) {
			return "", errorf("%s is not the name of a header", s)
		}
		return s, nil
	},
}

// ServiceName accepts the name of a Service.
var ServiceName = Pattern(`[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?`, "the name of a Service")

// BusyBuffers says whether nginx takes a busy size beside buffers: it must hold
// one of them, and leave one free.
func BusyBuffers(busy string, number int, size string) bool {
	one := Bytes(size)
	return Bytes(busy) >= one && Bytes(busy) <= int64(number-1)*one
}
