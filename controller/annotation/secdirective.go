package annotation

import (
	"fmt"
	"strings"
)

// secDirectives are those that users may write, by their names in lower case.
var secDirectives = func() map[string]secDirective {
	onOff := one(among("On", "Off"))
	size := one(numbers(1, 1<<30))
	all := map[string]func(*secParser, []string) (string, error){
		"SecRuleEngine":                one(among("On", "Off", "DetectionOnly")),
		"SecRequestBodyAccess":         onOff,
		"SecResponseBodyAccess":        onOff,
		"SecRequestBodyLimit":          size,
		"SecRequestBodyNoFilesLimit":   size,
		"SecRequestBodyLimitAction":    one(among("Reject", "ProcessPartial")),
		"SecRequestBodyJsonDepthLimit": one(numbers(1, 10000)),
		"SecArgumentsLimit":            one(numbers(1, 100000)),
		"SecResponseBodyLimit":         size,
		"SecResponseBodyLimitAction":   one(among("Reject", "ProcessPartial")),
		"SecResponseBodyMimeType":      list(shaped(`[a-z0-9]+/[-a-z0-9.+]+`)),
		"SecPcreMatchLimit":            one(numbers(1, 1000000)),
		"SecPcreMatchLimitRecursion":   one(numbers(1, 1000000)),
		"SecArgumentSeparator":         one(shaped(`[&;]`)),
		"SecAuditEngine":               one(among("On", "Off", "RelevantOnly")),
		"SecAuditLogParts":             one(shaped(`A[BCDEFGHIJK]*Z`)),
		"SecAuditLogFormat":            one(among("JSON", "Native")),
		"SecAuditLogRelevantStatus":    one(secQuotedRegex),
		"SecRuleRemoveById":            list(secRange),
		"SecRuleRemoveByTag":           one(secQuotedTag),
		"SecRuleRemoveByMsg":           one(secQuotedText),
		"SecRuleUpdateTargetById":      updateTarget(secRange),
		"SecRuleUpdateTargetByTag":     updateTarget(secQuotedTag),
		"SecRule":                      (*secParser).rule,
		"SecAction":                    (*secParser).action,
		"SecDefaultAction":             (*secParser).defaultAction,
		"SecMarker":                    one(shaped(secMark)),
		"Include":                      include,
		// Where the audit log goes is the operator's, and what is debugged too.
		"SecAuditLog": unused, "SecAuditLogType": unused, "SecAuditLogStorageDir": unused, "SecDebugLog": unused, "SecDebugLogLevel": unused,
		// Nothing of libmodsecurity 3 does what this says.
		"SecStatusEngine": unused,
	}
	known := map[string]secDirective{}
	for name, args := range all {
		known[strings.ToLower(name)] = secDirective{name, args}
	}
	return known
}()

const secMark = `[A-Za-z][-A-Za-z0-9_]{0,100}`

// secRange is an id, or two of which the second is not less than the first.
func secRange(s string) (string, error) {
	first, last, is := strings.Cut(s, "-")
	from, err := numbers(1, 999999999)(first)
	if err != nil || !is {
		return from, err
	}
	to, err := numbers(1, 999999999)(last)
	if err == nil {
		// libmodsecurity compares the two as texts, so they have to be of one length.
		from = strings.Repeat("0", max(0, len(to)-len(from))) + from
		if from > to {
			err = fmt.Errorf("has %.60q, which is no range", s)
		}
	}
	return from + "-" + to, err
}

// secQuotedRegex is an expression of statuses.
func secQuotedRegex(s string) (string, error) {
	if _, err := shaped(`[0-9^$.?:!=|()\[\]{}*+-]+`)(s); err != nil {
		return "", err
	}
	s, err := secRegex(s)
	return `"` + s + `"`, err
}

func secQuotedTag(s string) (string, error) {
	s, err := shaped(secTag)(s)
	return `"` + s + `"`, err
}

// secQuotedText is a rule's msg.
func secQuotedText(s string) (string, error) {
	s, err := shaped(`[-A-Za-z0-9 _.,;:()/]+`)(s)
	return `"` + s + `"`, err
}

// updateTarget takes what says which rules, and variables.
func updateTarget(which func(string) (string, error)) func(*secParser, []string) (string, error) {
	return func(_ *secParser, words []string) (string, error) {
		if len(words) != 2 {
			return "", fmt.Errorf("takes two arguments, and has %d", len(words))
		}
		rules, err := which(words[0])
		if err != nil {
			return "", err
		}
		variables, err := secVariableList(words[1])
		return rules + ` "` + variables + `"`, err
	}
}

// rule is a SecRule: variables, an operator, and actions, which only a chained
// one may lack.
func (p *secParser) rule(words []string) (string, error) {
	if len(words) == 2 && p.chained {
		words = append(words, "t:none")
	}
	if len(words) != 3 {
		return "", fmt.Errorf("takes variables, an operator and actions, and has %d arguments", len(words))
	}
	variables, err := secVariableList(words[0])
	if err != nil {
		return "", err
	}
	operator, err := secOperator(words[1])
	if err != nil {
		return "", err
	}
	actions, err := p.actions(words[2], p.chained)
	if err != nil {
		return "", err
	}
	p.chained = actions.chain
	return variables + ` "` + operator + `" ` + actions.String(), nil
}

func (p *secParser) action(words []string) (string, error) {
	if len(words) != 1 {
		return "", fmt.Errorf("takes actions alone, and has %d arguments", len(words))
	}
	actions, err := p.actions(words[0], false)
	if err == nil && actions.chain {
		err = fmt.Errorf("can't begin a chain")
	}
	return actions.String(), err
}

// defaultAction is what rules of a phase do that say nothing else.
func (p *secParser) defaultAction(words []string) (string, error) {
	if len(words) != 1 {
		return "", fmt.Errorf("takes actions alone, and has %d arguments", len(words))
	}
	a, err := readSecActions(words[0])
	switch {
	case err != nil:
		return "", err
	case a.id != "" || a.chain || a.phase == "" || a.disruptive == "" || a.disruptive == "block" || a.special:
		return "", fmt.Errorf("takes a phase, what is to be done, and log, nolog, auditlog, noauditlog, status and t")
	case p.defaults[a.phase].phase != "":
		return "", fmt.Errorf("stands there twice for phase %s", a.phase)
	}
	p.defaults[a.phase] = a
	return a.String(), nil
}
