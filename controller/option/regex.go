package option

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// maxProgram bounds what an expression compiles to, in instructions. PCRE takes
// up to 36 bytes for each, and 64 KiB in all.
const maxProgram = 1500

// Regex accepts an expression that PCRE and Go take for the same, so that nginx
// never refuses it: no names, which would set nginx's variables; no references
// back; no repetition of what is itself repeated without anything fixed between.
// What backtracks all the same is ended by PCRE after ten million steps, a tenth
// of a second, and nginx answers 500.
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
		if err := byByte(s); err != nil {
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
	for i := 0; i < len(s); {
		rest, n := s[i:], 1
		switch {
		case s[i] == '\\':
			n = min(2, len(rest))
		case strings.HasPrefix(rest, "[:"), strings.HasPrefix(rest, "[."), strings.HasPrefix(rest, "[="):
			return "", fmt.Errorf("%q stands outside of a class", rest[:2])
		case s[i] == '[':
			n = classLength(rest)
		case strings.HasPrefix(rest, "(?!"), strings.HasPrefix(rest, "(?="):
			b.WriteString("(?:")
			i += 3
			continue
		case strings.HasPrefix(rest, "(?:"):
		case strings.HasPrefix(rest, "(?"), strings.HasPrefix(rest, "(*"):
			return "", fmt.Errorf("a group can't begin with %q", rest[:min(3, len(rest))])
		}
		b.WriteString(rest[:n])
		i += n
	}
	return b.String(), nil
}

// classLength is how long the class is that a text begins with. A bracket that
// comes first in it is a member.
func classLength(s string) int {
	i := 1
	if strings.HasPrefix(s[i:], "^") {
		i++
	}
	if strings.HasPrefix(s[i:], "]") {
		i++
	}
	for i < len(s) {
		named := namedClass.FindString(s[i:])
		switch {
		case s[i] == '\\':
			i += 2
		case named != "":
			i += len(named)
		case s[i] == ']':
			return i + 1
		default:
			i++
		}
	}
	return len(s)
}

var (
	escaped    = regexp.MustCompile(`\\.`)
	escapes    = regexp.MustCompile(`^\\(x[0-9A-Fa-f]{2}|x\{[0-9A-Fa-f]{1,2}\}|[abdDfnrsStwWzAB]|[^0-9A-Za-z])`)
	repetition = regexp.MustCompile(`^\{[0-9]+(,[0-9]*)?\}`)
	namedClass = regexp.MustCompile(`^\[:\^?[a-z]+:\]`)
	// Collations, and ranges from or to a class.
	classOdd = regexp.MustCompile(`\[[.=]|\\[dDsSwW]-[^\]]|:\]-[^\]]|-\[:|\\[zAB]`)
)

// byByte refuses what PCRE, which compares bytes here, reads in another way than
// Go, or not at all: other escapes, such as \Q, which hides what follows;
// characters beyond a byte; braces that repeat nothing, which newer versions take
// for a repetition.
func byByte(s string) error {
	for _, at := range escaped.FindAllStringIndex(s, -1) {
		if !escapes.MatchString(s[at[0]:]) {
			return fmt.Errorf("%q is no escape that is known", s[at[0]:at[1]])
		}
	}
	for i := 0; i < len(s); {
		rest, n := s[i:], 1
		switch {
		case s[i] == '\\':
			n = len(escapes.FindString(rest))
		case s[i] == '[':
			n = classLength(rest)
			if odd := classOdd.FindString(rest[:n]); odd != "" {
				return fmt.Errorf("%q can't stand in a class", odd)
			}
		case s[i] == '{' && !repetition.MatchString(rest):
			return errors.New("a brace repeats nothing, and needs a backslash")
		}
		i += n
	}
	return nil
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

// Beginning is the literal text, in lower case, that all begin with which an
// anchored expression matches.
func Beginning(anchored string) string {
	text := strings.TrimPrefix(anchored, "^")
	var b strings.Builder
	for len(text) > 0 {
		c, n := text[0], 1
		if c == '\\' && len(text) > 1 && strings.Contains(punctuation, text[1:2]) {
			c, n = text[1], 2
		} else if strings.IndexByte(`\.[](){}*+?|^$`, c) >= 0 {
			break
		}
		if len(text) > n && strings.IndexByte("*?{", text[n]) >= 0 {
			break
		}
		b.WriteByte(c)
		text = text[n:]
	}
	return strings.ToLower(b.String())
}

const punctuation = `\/.[](){}*+?|^$-_~!&=:;,@%`

// Anchored is an expression that matches at a text's beginning alone, whatever
// alternatives it has.
func Anchored(expression string) string {
	depth := 0
	for i := 0; i < len(expression); i++ {
		switch expression[i] {
		case '\\':
			i++
		case '[':
			i += classLength(expression[i:]) - 1
		case '(':
			depth++
		case ')':
			depth--
		case '|':
			if depth == 0 {
				return "^(?:" + expression + ")"
			}
		}
	}
	return "^" + expression
}
