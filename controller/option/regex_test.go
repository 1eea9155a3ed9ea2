package option

import (
	"strings"
	"testing"
)

func TestRegex(t *testing.T) {
	right := map[string]string{}
	for _, s := range []string{
		"/foo", "/foo(/|$)(.*)", "/(?!api)(.*)", "/[^/]+/x", "/(a|b)*", "/(/[^/]+)*", "/v[0-9]{1,3}", `/a\.b`, "/x(?:y)z", "/[]a]+", "/[^]]", "/a{2}", "/(?=x).*",
		`/[\w-]+\.html`, `/[-\w.]+`, "/[[:alpha:]-]", `/[\]|]`, `/\x2f\x{2F}\{`, "/[{]", `/\d{2,}\-\/`,
	} {
		right[s] = s
	}
	check(t, Regex, right,
		"", "/(", "/a)", "/[a", "/(?<route>x)", "/(?P<route>x)", `/(a)\1`, "/(a+)+", "/(a*)*", "/((a+)b?)+", "/(a|a*)+", "/(?i)x", "/(?#x)", "/(*UTF8)x", "/a++", "/a$?", `/\[[:alpha:]]`, "/[:a:]", "/^*", `/\b+`,
		"/x\n", "/x\x00", `/x\`, "/a{1001}", "/(?>a)", "/(?<=a)b", "/(?<!a)b", strings.Repeat("(a|b){1,500}", 40), strings.Repeat("a", 3000), "/(x{1,9}){1,9}",
		// What Go reads, and PCRE in another way or not at all.
		`/\Q[\E(?<host>x)`, `/[\Q]`, "/[[.a.]]", "/[[=a=]]", `/\x{263a}`, `/\777`, `/\pL`, `/\p{Greek}`, `/\C`, `/[\d-z]`, "/[[:alpha:]-z]",
		"/a{,3}", "/(a{ 1}b)", "/(?:[ab][cd]){999}")
}

func TestPathTemplate(t *testing.T) {
	check(t, PathTemplate, map[string]List{
		"/": ListOf("=/"), "/$2": ListOf("=/", "2"), "/a/$1/b$2?c=$3": ListOf("=/a/", "1", "=/b", "2", "=?c=", "3"), "$1": ListOf("1"),
	}, "/$", "/$host", "/a b", "/a;", "/a\"", "/{", "/\n", "/'", "/$10x\n", strings.Repeat("a", 3000))
}

func TestAnchored(t *testing.T) {
	for s, want := range map[string]string{
		"/a": "^/a", "/a|/b": "^(?:/a|/b)", "/(a|b)": "^/(a|b)", "/[|]": "^/[|]", `/\|`: `^/\|`, "/(a)|b": "^(?:/(a)|b)",
		"/[](]|x": "^(?:/[](]|x)", "/[^]|]": "^/[^]|]", "/[[:alpha:]|]": "^/[[:alpha:]|]",
	} {
		if got := Anchored(s); got != want {
			t.Errorf("%s is anchored as %s, not %s", s, got, want)
		}
	}
}
