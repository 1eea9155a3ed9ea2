package option

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A Template is literal texts and variables in their order, as one value: each
// text of it begins with "=" where it is literal, and else is a variable's name
// or the number of a group.
func Template(s string, variables ...string) (List, error) {
	var parts []string
	literal := func(text string) {
		if text != "" {
			parts = append(parts, "="+text)
		}
	}
	for {
		before, rest, found := strings.Cut(s, "$")
		literal(before)
		if !found {
			return ListOf(parts...), nil
		}
		name := variableName.FindStringSubmatch(rest)
		if name == nil {
			return "", fmt.Errorf("%s: a $ stands without a variable's name", quote("$"+rest))
		}
		bare := strings.Trim(name[0], "{}")
		if !slices.ContainsFunc(variables, func(v string) bool { return means(v, bare) }) {
			return "", fmt.Errorf("$%.40s is none of the variables that may stand here: $%s", bare, strings.Join(variables, ", $"))
		}
		parts = append(parts, bare)
		s = rest[len(name[0]):]
	}
}

// means says whether a variable is one that is named: "1" is all groups, and
// "http_*" all that begin so.
func means(name, variable string) bool {
	if prefix, ok := strings.CutSuffix(name, "*"); ok {
		return strings.HasPrefix(variable, prefix) && len(variable) > len(prefix)
	}
	if name == "1" {
		return len(variable) == 1 && variable[0] >= '1' && variable[0] <= '9'
	}
	return name == variable
}

var variableName = regexp.MustCompile(`^(\{[a-z0-9_]+\}|[0-9]|[a-z_][a-z0-9_]*)`)

var pathText = regexp.MustCompile(`^[!#-&(-:<-\[\]-_a-z~]*$`)

// PathTemplate accepts a path with the numbers of groups, such as "/$1/x?a=$2".
var PathTemplate = Check[List]{
	Values: "a path; `$1` to `$9` stand for the groups of the path's expression",
	Parse: func(s string) (List, error) {
		if len(s) > maxText {
			return "", errorf("%s is longer than %d bytes", s, maxText)
		}
		if !pathText.MatchString(s) {
			return "", errorf("%s has characters that a path has not", s)
		}
		return Template(s, "1")
	},
}
