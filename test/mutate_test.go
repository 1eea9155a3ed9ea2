package test

import (
	"math/rand/v2"
	"strings"
)

// A mutator makes texts that are nearly right, or nasty, out of right ones.
type mutator struct {
	*rand.Rand
	values []string // that keys have somewhere
}

// pieces are what nginx, Lua, YAML and regular expressions find special.
var pieces = append([]string{
	"\v", "\u0085", "\u2029", ":", ",", ", ", "&", "=", "?", "!", "%", "^", "<", ">", "|", "(", ")", "[", "]", "+", "http://", "https://", "//", "/../",
	"$1", "$10", "$request_uri", "${", "$(", "{{", "}}", "{{ . }}", "\\;", "\\{", "\\$", "\"\"", "''", "<!--", "*/", "/*", "return 200", "proxy_pass http://x",
	"access_by_lua_block{ os.execute('x') }", "0.0.0.0/0", "::/0", "10.0.0.0/8", "all", "unix:/x", "@named", "CN=", "(?i)", "(?=", "(a+)+$", "[[:alpha:]]", "\\1", "never", "always",
}, hostileTexts...)

// mutate changes a text in one to three places, or takes another.
func (m mutator) mutate(s string) string {
	for range 1 + m.IntN(3) {
		switch m.IntN(9) {
		case 0:
			s = pieces[m.IntN(len(pieces))]
		case 1:
			s = m.values[m.IntN(len(m.values))]
		case 2:
			s += pieces[m.IntN(len(pieces))]
		case 3:
			s = pieces[m.IntN(len(pieces))] + s
		case 4:
			at := m.IntN(len(s) + 1)
			s = s[:at] + pieces[m.IntN(len(pieces))] + s[at:]
		case 5:
			at := m.IntN(len(s) + 1)
			s = s[:at] + string(rune(m.IntN(0x80))) + s[at:]
		case 6:
			if len(s) > 0 {
				at := m.IntN(len(s))
				s = s[:at] + s[at+1:]
			}
		case 7:
			if len(s) < 500 {
				s += s
			}
		case 8:
			s = strings.ToUpper(s)
		}
	}
	return s
}

// hashOf is FNV-1a.
func hashOf(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
