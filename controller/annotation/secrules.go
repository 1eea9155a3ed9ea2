package annotation

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

var (
	secDirective = regexp.MustCompile(`^(SecRule|SecAction|SecRuleEngine|SecRequestBodyAccess|SecResponseBodyAccess|SecRuleRemoveById|SecRuleRemoveByTag|` +
		`SecRuleUpdateTargetById|SecRuleUpdateTargetByTag|SecDefaultAction|SecMarker|SecRequestBodyLimit|SecRequestBodyNoFilesLimit|SecArgumentSeparator|` +
		`SecRequestBodyLimitAction|SecResponseBodyLimit|SecResponseBodyMimeType|SecAuditEngine) `)
	// What reads files, runs programs or asks other machines.
	secForbidden = regexp.MustCompile(`(?i)exec|file|script|lua|include|remote|@rbl|@geolookup|setenv|@ipmatchf|@pmf|https?://|@gsblookup|@fuzzy|proxy`)
)

// secRules accepts rules of ModSecurity that only judge the request at hand.
var secRules = option.Check[string]{
	Values: "rules of ModSecurity",
	Parse: func(s string) (string, error) {
		if len(s) > 16<<10 {
			return "", fmt.Errorf("is longer than 16384 bytes")
		}
		var out []string
		for line := range strings.SplitSeq(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\\\n", " "), "\n") {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			name, _, _ := strings.Cut(line, " ")
			if !secDirective.MatchString(line + " ") {
				return "", fmt.Errorf("directive %.60q is not one of those that are known to be harmless here", name)
			}
			if found := secForbidden.FindString(line); found != "" {
				return "", fmt.Errorf("directive %.60q: %q may not be used", name, found)
			}
			if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) || strings.HasSuffix(line, `\`) {
				return "", fmt.Errorf("directive %.60q has a control character, or ends in a backslash", name)
			}
			out = append(out, line)
		}
		return strings.Join(out, "\n") + "\n", nil
	},
}
