package option

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
)

// maxProgram bounds what an expression compiles to, in instructions.
const maxProgram = 4000

// Regex accepts an expression that nginx's PCRE understands as it is meant, and
// that costs no more than time in proportion to the text, or its square: no
// names, which would set nginx's variables; no references back; no repetition of
// what is itself repeated without anything fixed between.
var Regex = Check[string]{
	Values: "a regular expression without named groups, references back and nested repetitions",
	Parse: func(s string) (string, error) {
		if s == "" {
			return "", errorf("%s is empty", s)
		}
		if len(s) > maxText {
			return "", errorf("%s is longer than %d bytes", s, maxText)
		}
		if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\uFFFD' }) {
			return "", errorf("%s has a control character", s)
		}
		if strings.HasSuffix(s, `\`) {
			return "", errorf("%s ends in a backslash", s)
		}
		plain, err := withoutLooks(s)
		if err != nil {
			return "", errorf("%s: %v", s, err)
		}
		parsed, err := syntax.Parse(plain, syntax.Perl)
		if err != nil {
			return "", errorf("%s is no regular expression: %s", s, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		if repeatsNothing(parsed) {
			return "", errorf("%s repeats what has no length", s)
		}
		if nested(parsed, false) {
			return "", errorf("%s repeats what is repeated already, which can take for ever", s)
		}
		program, err := syntax.Compile(parsed.Simplify())
		if err != nil || len(program.Inst) > maxProgram {
			return "", errorf("%s is too large", s)
		}
		return s, nil
	},
}

// withoutLooks gives the expression with groups in the place of looks ahead,
// which Go does not have, and refuses other special groups.
func withoutLooks(s string) (string, error) {
	var b strings.Builder
	class := false
	for i := 0; i < len(s); i++ {
		rest := s[i:]
		switch {
		case s[i] == '\\' && i+1 < len(s):
			b.WriteString(rest[:2])
			i++
			continue
		case class:
			// A bracket that is first in its class is a member of it.
			class = s[i] != ']'
		case strings.HasPrefix(rest, "[:"), strings.HasPrefix(rest, "[."), strings.HasPrefix(rest, "[="):
			return "", fmt.Errorf("%q stands outside of a class", rest[:2])
		case s[i] == '[':
			class = true
			n := 1
			for n < len(rest) && (rest[n] == '^' && n == 1 || rest[n] == ']' && strings.Trim(rest[1:n], "^") == "") {
				n++
			}
			b.WriteString(rest[:n])
			i += n - 1
			continue
		case strings.HasPrefix(rest, "(?!"), strings.HasPrefix(rest, "(?="):
			b.WriteString("(?:")
			i += 2
			continue
		case strings.HasPrefix(rest, "(?:"):
		case strings.HasPrefix(rest, "(?"), strings.HasPrefix(rest, "(*"):
			return "", fmt.Errorf("a group can't begin with %q", rest[:min(3, len(rest))])
		}
		b.WriteByte(s[i])
	}
	return b.String(), nil
}

// repeatsNothing says whether a place is repeated, such as the text's end: Go
// lets that pass and PCRE does not.
func repeatsNothing(r *syntax.Regexp) bool {
	switch r.Op {
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		switch r.Sub[0].Op {
		case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary, syntax.OpEmptyMatch:
			return true
		}
	}
	return slices.ContainsFunc(r.Sub, repeatsNothing)
}

// nested says whether something is repeated without bound within such a
// repetition, and has nothing fixed beside it that parts one from the next.
func nested(r *syntax.Regexp, within bool) bool {
	repeats := r.Op == syntax.OpStar || r.Op == syntax.OpPlus || r.Op == syntax.OpRepeat && (r.Max < 0 || r.Max > 8)
	if repeats && within {
		return true
	}
	if r.Op == syntax.OpConcat && within {
		for _, sub := range r.Sub {
			if sub.Op == syntax.OpLiteral {
				within = false
			}
		}
	}
	for _, sub := range r.Sub {
		if nested(sub, within || repeats) {
			return true
		}
	}
	return false
}

// Anchored is an expression that matches at a text's beginning alone, whatever
// alternatives it has.
func Anchored(expression string) string {
	depth, class := 0, false
	for i := 0; i < len(expression); i++ {
		switch c := expression[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			return "^(?:" + expression + ")"
		}
	}
	return "^" + expression
}
