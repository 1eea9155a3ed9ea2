package annotation

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// secActions are a rule's, printed afresh.
type secActions struct {
	all        []string // each action
	id         string
	phase      string
	disruptive string // the verdict, as it is printed
	status     string
	chain      bool
	special    bool // has what a SecDefaultAction may not have
}

// actions are those of a rule, which has to have an id of its own unless it is
// chained to one that has.
func (p *secParser) actions(s string, chained bool) (secActions, error) {
	a, err := readSecActions(s)
	switch {
	case err != nil:
		return a, err
	case chained && (a.id != "" || a.phase != "" || a.disruptive != ""):
		return a, fmt.Errorf("is chained, and has an id, a phase or a verdict, which are for the first of the chain")
	case chained:
		return a, nil
	case a.id == "":
		return a, fmt.Errorf("has no id")
	case slices.Contains(p.ids, a.id):
		return a, fmt.Errorf("has the id %s, which another rule has", a.id)
	case takenID(a.id):
		return a, fmt.Errorf("has the id %s, which is one of the recommended configuration's or of the OWASP Core Rule Set's", a.id)
	}
	p.ids = append(p.ids, a.id)
	p.unblock(&a)
	return a, nil
}

// unblock says what block means, where the same rules say so. libmodsecurity
// finds that in the last SecDefaultAction it has read, and that may be the Core
// Rule Set's, which lets all pass.
func (p *secParser) unblock(a *secActions) {
	meant := p.defaults[cmp.Or(a.phase, "2")]
	if a.disruptive != "block" || meant.phase == "" {
		return
	}
	a.all[slices.Index(a.all, "block")] = meant.disruptive
	if a.status == "" && meant.status != "" {
		a.all = append(a.all, "status:"+meant.status)
	}
}

// takenID says whether an id is for the rules that come with ModSecurity's
// packages: 200000 to 200999, and from 901000. Those of 900000 are settings of
// the Core Rule Set, which a user makes, but one.
func takenID(id string) bool {
	return len(id) == 6 && (id[:3] == "200" || id == "900990" || id[0] == '9' && id[:3] != "900")
}

// secAction is one action, "name" or "name:value", where the value may be in
// quotes.
var secAction = regexp.MustCompile(`^\s*([A-Za-z0-9]+)(?:\s*:\s*(?:'([^']*)'|([^',]*)))?\s*(?:,|$)`)

func readSecActions(s string) (secActions, error) {
	var a secActions
	for rest := s; rest != ""; {
		m := secAction.FindStringSubmatch(rest)
		if m == nil {
			return a, fmt.Errorf("has %.60q where an action should be", strings.TrimSpace(rest))
		}
		if rest = rest[len(m[0]):]; rest == "" && strings.HasSuffix(m[0], ",") {
			return a, fmt.Errorf("has a comma at the end of its actions")
		}
		text, err := a.read(strings.ToLower(m[1]), strings.TrimSpace(m[2]+m[3]))
		if err != nil {
			return a, err
		}
		a.all = append(a.all, text)
	}
	if len(a.all) == 0 {
		return a, fmt.Errorf("has no action")
	}
	return a, nil
}

// String is the actions within quotes.
func (a secActions) String() string { return `"` + strings.Join(a.all, ",") + `"` }

// read prints one action and notes what it says of the rule.
func (a *secActions) read(name, value string) (string, error) {
	kind, ok := secActionKinds[name]
	if !ok {
		return "", fmt.Errorf("has the action %.60q, which is none of those that may be used", name)
	}
	value, err := kind.value(value)
	if err != nil {
		return "", err
	}
	twice := false
	switch {
	case kind.verdict:
		twice = a.disruptive != ""
	case name == "id":
		a.id, twice = value, a.id != ""
	case name == "phase":
		a.phase, twice = value, a.phase != ""
	case name == "status":
		a.status, twice = value, a.status != ""
	case name == "chain":
		a.chain, twice = true, a.chain
	}
	if twice {
		return "", fmt.Errorf("has %s twice, or two verdicts", name)
	}
	a.special = a.special || name == "t" && value == "none" || !kind.verdict && !slices.Contains([]string{"phase", "log", "nolog", "auditlog", "noauditlog", "status", "t"}, name)
	text := kind.name
	switch {
	case value != "" && kind.quoted:
		text += ":'" + value + "'"
	case value != "":
		text += ":" + value
	}
	if kind.verdict {
		a.disruptive = text
	}
	return text, nil
}

type secActionKind struct {
	name    string
	value   func(string) (string, error)
	verdict bool // ends the rules, or says that they go on
	quoted  bool
}

var transformations = strings.Fields(`base64Decode base64DecodeExt base64Encode cmdLine compressWhitespace cssDecode escapeSeqDecode hexDecode
	hexEncode htmlEntityDecode jsDecode length lowercase md5 none normalisePath normalisePathWin normalizePath normalizePathWin parityEven7bit
	parityOdd7bit parityZero7bit removeComments removeCommentsChar removeNulls removeWhitespace replaceComments replaceNulls sha1 sqlHexDecode trim
	trimLeft trimRight uppercase urlDecode urlDecodeUni urlEncode utf8toUnicode`)

var phases = map[string]string{"request": "2", "response": "4", "logging": "5"}

func phase(s string) (string, error) {
	if n, ok := phases[strings.ToLower(s)]; ok {
		return n, nil
	}
	return numbers(1, 5)(s)
}

func orNothing(check func(string) (string, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		if s == "" {
			return "", nil
		}
		return check(s)
	}
}

var (
	setTX  = regexp.MustCompile(`^(!?)[tT][xX][.:]((?:[-A-Za-z0-9_]|%\{[^{}]*\})+)(?:=([-+]?(?:[-A-Za-z0-9 _.;:/|#*()^$]|%\{[^{}]*\})*))?$`)
	secURL = regexp.MustCompile(`^(https?://[A-Za-z0-9]|/)[-A-Za-z0-9._~:/?#@!$&()*+;=%{}]*$`)
)

func setvar(s string) (string, error) {
	if _, err := secText(s); err != nil {
		return "", err
	}
	m := setTX.FindStringSubmatch(s)
	if m == nil {
		return "", fmt.Errorf("sets %.60q, and may set none but tx's", s)
	}
	out := m[1] + "tx." + m[2]
	if m[3] != "" && m[1] == "" {
		out += "=" + m[3]
	}
	return out, nil
}

func redirectURL(s string) (string, error) {
	if !secURL.MatchString(s) {
		return "", fmt.Errorf("redirects to %.60q, which is no URL and no path", s)
	}
	return secText(s)
}

var secControls = map[string]func(string) (string, error){
	"ruleEngine":        among("On", "Off", "DetectionOnly"),
	"requestBodyAccess": among("On", "Off"), "forceRequestBodyVariable": among("On", "Off"),
	"requestBodyProcessor": among("JSON", "XML", "URLENCODED"),
	"auditEngine":          among("On", "Off", "RelevantOnly"), "auditLogParts": shaped(`[+-][BCDEFGHIJK]`),
	"ruleRemoveById": secRange, "ruleRemoveByTag": shaped(secTag),
	"ruleRemoveTargetById": removeTarget(shaped(`[0-9]{1,9}`)), "ruleRemoveTargetByTag": removeTarget(shaped(secTag)),
}

const secTag = `[-A-Za-z0-9_/.]{1,100}`

func removeTarget(which func(string) (string, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		rules, target, _ := strings.Cut(s, ";")
		rules, err := which(rules)
		if err != nil {
			return "", err
		}
		target, err = secVariableList(target)
		if err == nil && strings.ContainsAny(target, "!&|") {
			err = fmt.Errorf("takes one variable, and not %.60q", target)
		}
		return rules + ";" + target, err
	}
}

func ctl(s string) (string, error) {
	name, value, _ := strings.Cut(s, "=")
	for known, check := range secControls {
		if strings.EqualFold(known, name) {
			value, err := check(value)
			return known + "=" + value, err
		}
	}
	return "", fmt.Errorf("has ctl:%.60s, which is none of those that may be used", name)
}

// secActionKinds are by name in lower case.
var secActionKinds = map[string]secActionKind{
	"id": {name: "id", value: shaped(`[1-9][0-9]{0,8}`)}, "phase": {name: "phase", value: phase},
	"deny": {name: "deny", value: noArgument, verdict: true}, "block": {name: "block", value: noArgument, verdict: true},
	"pass": {name: "pass", value: noArgument, verdict: true}, "drop": {name: "drop", value: noArgument, verdict: true},
	"allow":    {name: "allow", value: orNothing(among("phase", "request")), verdict: true},
	"redirect": {name: "redirect", value: redirectURL, verdict: true, quoted: true},
	"status":   {name: "status", value: shaped(`200|[345][0-9]{2}`)},
	"log":      {name: "log", value: noArgument}, "nolog": {name: "nolog", value: noArgument},
	"auditlog": {name: "auditlog", value: noArgument}, "noauditlog": {name: "noauditlog", value: noArgument},
	"msg": {name: "msg", value: someText, quoted: true}, "logdata": {name: "logdata", value: someText, quoted: true},
	"tag": {name: "tag", value: someText, quoted: true}, "rev": {name: "rev", value: someText, quoted: true}, "ver": {name: "ver", value: someText, quoted: true},
	"severity": {name: "severity", value: among("EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG", "0", "1", "2", "3", "4", "5", "6", "7"), quoted: true},
	"maturity": {name: "maturity", value: numbers(0, 9), quoted: true}, "accuracy": {name: "accuracy", value: numbers(0, 9), quoted: true},
	"chain": {name: "chain", value: noArgument}, "capture": {name: "capture", value: noArgument}, "multimatch": {name: "multiMatch", value: noArgument},
	"skip": {name: "skip", value: numbers(1, 1000)}, "skipafter": {name: "skipAfter", value: shaped(secMark)},
	"t": {name: "t", value: among(transformations...)}, "setvar": {name: "setvar", value: setvar, quoted: true}, "ctl": {name: "ctl", value: ctl},
}
