package annotation

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// secCollections are variables that may have a key: what of them is meant.
var secCollections = strings.Fields(`ARGS ARGS_NAMES ARGS_GET ARGS_GET_NAMES ARGS_POST ARGS_POST_NAMES REQUEST_HEADERS REQUEST_HEADERS_NAMES
	REQUEST_COOKIES REQUEST_COOKIES_NAMES RESPONSE_HEADERS RESPONSE_HEADERS_NAMES FILES FILES_NAMES FILES_SIZES MULTIPART_PART_HEADERS TX
	MATCHED_VARS MATCHED_VARS_NAMES`)

// secVariables are the others. None of them tells of anything but the request:
// ENV and the persistent collections are not among them.
var secVariables = strings.Fields(`ARGS_COMBINED_SIZE AUTH_TYPE DURATION FILES_COMBINED_SIZE HIGHEST_SEVERITY INBOUND_DATA_ERROR MATCHED_VAR
	MATCHED_VAR_NAME MULTIPART_BOUNDARY_QUOTED MULTIPART_BOUNDARY_WHITESPACE MULTIPART_DATA_AFTER MULTIPART_DATA_BEFORE MULTIPART_FILE_LIMIT_EXCEEDED
	MULTIPART_HEADER_FOLDING MULTIPART_INVALID_HEADER_FOLDING MULTIPART_INVALID_PART MULTIPART_INVALID_QUOTING MULTIPART_LF_LINE
	MULTIPART_MISSING_SEMICOLON MULTIPART_STRICT_ERROR MULTIPART_UNMATCHED_BOUNDARY OUTBOUND_DATA_ERROR PATH_INFO QUERY_STRING REMOTE_ADDR
	REMOTE_HOST REMOTE_PORT REMOTE_USER REQBODY_ERROR REQBODY_ERROR_MSG REQBODY_PROCESSOR REQBODY_PROCESSOR_ERROR REQBODY_PROCESSOR_ERROR_MSG
	REQUEST_BASENAME REQUEST_BODY REQUEST_BODY_LENGTH REQUEST_FILENAME REQUEST_LINE REQUEST_METHOD REQUEST_PROTOCOL REQUEST_URI REQUEST_URI_RAW
	RESPONSE_BODY RESPONSE_CONTENT_LENGTH RESPONSE_CONTENT_TYPE RESPONSE_PROTOCOL RESPONSE_STATUS SERVER_ADDR SERVER_NAME SERVER_PORT STATUS_LINE
	TIME TIME_DAY TIME_EPOCH TIME_HOUR TIME_MIN TIME_MON TIME_SEC TIME_WDAY TIME_YEAR UNIQUE_ID URLENCODED_ERROR`)

var secVariable = regexp.MustCompile(`^([!&]?)([A-Za-z_]+)(?::(?:([-A-Za-z0-9_.]+)|/([-A-Za-z0-9_.^$*+?()\[\]]+)/))?$`)

// secVariableList prints variables, parted by | or a comma.
func secVariableList(s string) (string, error) {
	var out []string
	for part := range strings.FieldsFuncSeq(s, func(c rune) bool { return c == '|' || c == ',' }) {
		if name := strings.ToUpper(strings.TrimLeft(part, "!&")); name == "XML:/*" || name == "XML://@*" {
			out = append(out, part[:len(part)-len(name)]+name)
			continue
		}
		m := secVariable.FindStringSubmatch(part)
		if m == nil {
			return "", fmt.Errorf("has %.60q where a variable should be", part)
		}
		name, key := strings.ToUpper(m[2]), m[3]
		if m[4] != "" {
			if _, err := option.Regex.Parse(m[4]); err != nil {
				return "", err
			}
			key = "/" + m[4] + "/"
		}
		collection := slices.Contains(secCollections, name)
		if !collection && (key != "" || !slices.Contains(secVariables, name)) {
			return "", fmt.Errorf("has %.60q, which is no variable that may be used", part)
		}
		if key != "" {
			name += ":" + key
		}
		out = append(out, m[1]+name)
	}
	if len(out) == 0 {
		return "", fmt.Errorf("has no variable")
	}
	return strings.Join(out, "|"), nil
}

// secMacro is a variable within a text.
var secMacro = regexp.MustCompile(`%\{([A-Za-z_]+)(?:[.:]([-A-Za-z0-9_]+))?\}`)

// secText is a text in which macros may stand, and no other percent sign, and
// nothing that ends or begins a quote.
func secText(s string) (string, error) {
	if strings.ContainsAny(s, `"'\`) {
		return "", fmt.Errorf("has a quote or a backslash in the text %.60q", s)
	}
	if strings.Contains(secMacro.ReplaceAllString(s, ""), "%") {
		return "", fmt.Errorf("has a percent sign in the text %.60q, which is none of a variable's, as in %%{tx.a}", s)
	}
	for _, m := range secMacro.FindAllStringSubmatch(s, -1) {
		name := strings.ToUpper(m[1])
		collection := slices.Contains(secCollections, name) || name == "RULE" && slices.Contains([]string{"id", "rev", "severity", "msg", "logdata"}, m[2])
		if m[2] == "" && !slices.Contains(secVariables, name) || m[2] != "" && !collection {
			return "", fmt.Errorf("has %.60q, which is no variable that may be used in a text", m[0])
		}
	}
	return s, nil
}

// percent is one behind which ModSecurity's lexer finds neither a variable nor,
// in some places, the end of a quote.
var percent = regexp.MustCompile(`%[0-9A-Za-z]`)

// secRegex is an expression; without regard to case where it begins with (?i).
func secRegex(s string) (string, error) {
	plain, _ := strings.CutPrefix(s, "(?i)")
	if strings.Contains(strings.ReplaceAll(plain, `\"`, ""), `"`) || strings.Contains(percent.ReplaceAllString(plain, ""), "%") {
		return "", fmt.Errorf(`has a quote, or a percent sign before what is no letter and no digit, in the expression %.60q; write it as \x25`, s)
	}
	_, err := option.Regex.Parse(plain)
	return s, err
}

func noArgument(s string) (string, error) {
	if s != "" {
		return "", fmt.Errorf("has the argument %.60q for an operator that takes none", s)
	}
	return "", nil
}

func someText(s string) (string, error) {
	if s == "" {
		return "", fmt.Errorf("has an operator that lacks its argument")
	}
	return secText(s)
}

var secNumber = regexp.MustCompile(`^(-?[0-9]{1,9}|%\{[^{}]*\})$`)

func someNumber(s string) (string, error) {
	if !secNumber.MatchString(s) {
		return "", fmt.Errorf("has %.60q where a number should be", s)
	}
	return secText(s)
}

func ranges(s string) (string, error) {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		_, err := netip.ParseAddr(part)
		if prefix, bad := netip.ParsePrefix(part); err != nil && bad == nil && prefix.Bits() > 0 {
			part, err = prefix.Masked().String(), nil
		}
		if err != nil || strings.Contains(part, "%") {
			return "", fmt.Errorf("has %.60q where an address or a range should be", part)
		}
		out = append(out, part)
	}
	return strings.Join(out, ","), nil
}

// secOperators are those that may be used, by their names in lower case.
var secOperators = map[string]struct {
	name string
	arg  func(string) (string, error)
}{
	"rx": {"rx", secRegex}, "pm": {"pm", someText}, "contains": {"contains", someText}, "containsword": {"containsWord", someText},
	"beginswith": {"beginsWith", someText}, "endswith": {"endsWith", someText}, "streq": {"streq", someText}, "strmatch": {"strmatch", someText},
	"within": {"within", someText}, "eq": {"eq", someNumber}, "ge": {"ge", someNumber}, "gt": {"gt", someNumber}, "le": {"le", someNumber},
	"lt": {"lt", someNumber}, "ipmatch": {"ipMatch", ranges}, "detectsqli": {"detectSQLi", noArgument}, "detectxss": {"detectXSS", noArgument},
	"unconditionalmatch": {"unconditionalMatch", noArgument}, "nomatch": {"noMatch", noArgument},
	"validateurlencoding": {"validateUrlEncoding", noArgument}, "validateutf8encoding": {"validateUtf8Encoding", noArgument},
	"validatebyterange": {"validateByteRange", shaped(`[0-9]{1,3}(-[0-9]{1,3})?(, ?[0-9]{1,3}(-[0-9]{1,3})?)*`)},
}

// secOperator prints an operator and its argument; a text alone is for rx.
func secOperator(s string) (string, error) {
	s = strings.TrimSpace(s)
	not := ""
	if rest, ok := strings.CutPrefix(s, "!@"); ok {
		not, s = "!", "@"+rest
	}
	name, arg := "rx", s
	if rest, ok := strings.CutPrefix(s, "@"); ok {
		name, arg, _ = strings.Cut(rest, " ")
	}
	o, ok := secOperators[strings.ToLower(name)]
	if !ok {
		return "", fmt.Errorf("has the operator %.60q, which is none of those that may be used", "@"+name)
	}
	arg, err := o.arg(strings.TrimSpace(arg))
	return strings.TrimSpace(not + "@" + o.name + " " + arg), err
}
