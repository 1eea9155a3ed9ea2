package annotation

import (
	"strings"
	"testing"
)

// What users of ingress-nginx write is printed afresh.
func TestSecRules(t *testing.T) {
	for text, want := range map[string]string{
		"SecRuleEngine On":                                "SecRuleEngine On",
		"secruleengine ON\n\n# why\n":                     "SecRuleEngine On",
		"SecRule ARGS \"@contains x\" \\\n \"id:1,deny\"": `SecRule ARGS "@contains x" "id:1,deny"`,
		`SecRule REQUEST_HEADERS:User-Agent \"bad\" \"log,deny,id:107,msg:\'no\'\"`:                 `SecRule REQUEST_HEADERS:User-Agent "@rx bad" "log,deny,id:107,msg:'no'"`,
		`SecRule ARGS @detectSQLi "id:152,log,deny,status:403"`:                                     `SecRule ARGS "@detectSQLi" "id:152,log,deny,status:403"`,
		`SecRule args|!ARGS:a,&TX:b "!@rx (?i)^\\d+$" "id:2 , phase:request, t:urldecodeuni,block"`: `SecRule ARGS|!ARGS:a|&TX:b "!@rx (?i)^\d+$" "id:2,phase:2,t:urlDecodeUni,block"`,
		"SecRule REQUEST_URI \"@beginsWith /a\" \"id:3,phase:1,pass,chain\"\nSecRule REMOTE_ADDR \"!@ipMatch 10.1.2.3/8, ::1\" \"ctl:ruleEngine=off\"": "SecRule REQUEST_URI \"@beginsWith /a\" \"id:3,phase:1,pass,chain\"\n" +
			"SecRule REMOTE_ADDR \"!@ipMatch 10.0.0.0/8,::1\" \"ctl:ruleEngine=Off\"",
		`SecAction "id:900200,phase:1,nolog,pass,t:none,setvar:'tx.allowed_methods=GET HEAD'"`: `SecAction "id:900200,phase:1,nolog,pass,t:none,setvar:'tx.allowed_methods=GET HEAD'"`,
		"SecRuleRemoveById 920420,1-20 942100":                                                 "SecRuleRemoveById 920420 01-20 942100",
		"SecRuleUpdateTargetById 942100 \"!ARGS:foo,!REQUEST_COOKIES:/x[0-9]/\"":               `SecRuleUpdateTargetById 942100 "!ARGS:foo|!REQUEST_COOKIES:/x[0-9]/"`,
		`SecDefaultAction "phase:1,log,deny,status:403"`:                                       `SecDefaultAction "phase:1,log,deny,status:403"`,
		"SecAction \"id:1,block,msg:'block,'\"\nSecAction \"id:2,phase:1,block,status:404\"\nSecDefaultAction \"phase:2,deny,status:403\"": "SecDefaultAction \"phase:2,deny,status:403\"\n" +
			"SecAction \"id:1,deny,msg:'block,',status:403\"\nSecAction \"id:2,phase:1,block,status:404\"",
		"SecDebugLog /tmp/x\nSecAuditLog /dev/stdout": "",
	} {
		got, err := Rules.Parse(text)
		if err != nil || strings.TrimSpace(got.Text) != want {
			t.Errorf("%s: %q, %v; want %q", text, got.Text, err, want)
		}
	}
	got, err := Rules.Parse("Include /etc/nginx/owasp-modsecurity-crs/nginx-modsecurity.conf\nInclude /etc/nginx/modsecurity/modsecurity.conf\nSecAuditEngine on\n" +
		"SecAuditLog /x\nSecAction id:7,pass\nSecAction \"id:8,pass\"")
	if err != nil || !got.Core || !got.Base || strings.Join(got.IDs.All(), " ") != "7 8" || strings.Join(got.Audit.All(), " ") != "SecAuditEngine On" ||
		strings.Join(got.Unused.All(), " ") != "SecAuditLog" {
		t.Errorf("%+v, %v", got, err)
	}
}

// The language of rules reads and writes files, runs programs and asks other
// machines, and its lexer can be led past the end of a quote.
func TestHostileSecRules(t *testing.T) {
	texts := []string{
		"Include /etc/passwd", "include /etc/nginx/modsecurity/modsecurity.conf /etc/passwd", "Include /etc/nginx/modsecurity/../../passwd", "IncludeOptional /etc/passwd",
		"SecRemoteRules key https://x/", "SecRemoteRulesFailAction Warn", "SecRuleScript /x.lua \"id:1,deny\"", "SecUploadDir /tmp", "SecUploadKeepFiles On", "SecTmpDir /x", "SecDataDir /x",
		"SecGeoLookupDb /x", "SecGsbLookupDb /x", "SecUnicodeMapFile /etc/passwd 1", "SecHttpBlKey x", "SecXmlExternalEntity On", "SecGuardianLog |/bin/sh", "SecPcreMatchLimit 0",
		"SecHashEngine On", "SecConnEngine On", "SecServerSignature x", "SecWebAppId x", "SecCollectionTimeout 1", "load_module x;", "SecRuleEngine", "SecRuleEngine On Off", "SecRuleEngine 'On'",
		"SecRuleEngine On\"; } location /evil {", "SecRuleEngine On;", "\"SecRuleEngine\" x", "SecMarker \"a b\"", "SecMarker a%", "SecAuditLogParts ABZ\"", "SecAuditLogRelevantStatus \"((a+)+\"",
		"SecAuditLogRelevantStatus \"^5 \"", "SecRuleRemoveById 5-3", "SecRuleRemoveById all", "SecRuleRemoveByTag \"a|b\"", "SecRuleRemoveByMsg \"a%b\"", "SecRequestBodyLimit -1",
		"SecRequestBodyLimit 99999999999", "SecResponseBodyMimeType text/html\";", "SecArgumentSeparator \"", "SecDefaultAction \"phase:1,log\"",
		"SecDefaultAction \"phase:1,deny,exec:/x\"", "SecDefaultAction \"phase:1,deny\"\nSecDefaultAction \"phase:1,pass\"", "SecDefaultAction \"phase:1,deny,id:1\"", "SecDefaultAction \"phase:1,deny,t:none\"",
		"SecAction id:1,pass extra", "SecAction \"id:1,pass", "SecAction \"id:1,pass\"x", "SecAction pass", "SecAction \"id:1,chain,pass\"", "SecRuleUpdateTargetById 1 \"!ENV:x\"",
		"SecRuleUpdateTargetByTag \"a\" \"ARGS\" \"b\"", "SecRuleUpdateActionById 1 \"exec:/x\"", "SecAction \"id:1,pass\"\nSecAction \"id:1,pass\"", "SecAction \"id:949110,pass\"",
		"SecAction \"id:200002,pass\"", "SecAction \"id:900990,pass\"", "SecAction \"id:0,pass\"", "SecAction \"id:1,pass\"\x00", "SecAction \"id:1,pass,msg:'\u2028'\"",
		strings.Repeat("SecRuleEngine On\n", 1000),
	}
	for _, variable := range []string{"ENV", "ENV:PATH", "IP:x", "GLOBAL:x", "SESSION:x", "USER:x", "RESOURCE:x", "FILES_TMPNAMES", "FILES_TMP_CONTENT", "GEO", "FULL_REQUEST", "XML:/a", "ARGS:/(a+)+/",
		"ARGS:/a", "ARGS:%{tx.a}", "REQUEST_URI:x", "", "|", "ARGS x", "ARGS:'a'", "!", "&!ARGS"} {
		texts = append(texts, `SecRule `+variable+` "x" "id:1,deny"`)
	}
	for _, operator := range []string{"@inspectFile /bin/sh", "@pmFromFile /etc/passwd", "@pmf /etc/passwd", "@ipMatchFromFile /x", "@ipMatchF https://x", "@rbl x.org", "@geoLookup", "@gsbLookup x",
		"@fuzzyHash /x 1", "@validateSchema /x", "@validateDTD /x", "@rsub s/a/b/", "@rx (a+)+$", "@rx (", "@rx a%", "@rx a%{tx.b}", "@rx a%\\", "@streq a%", "@streq %{ENV.PATH}", "@streq %{tx.a", "@streq a'b",
		"@streq", "@eq x", "@eq 1 2", "@ipMatch x", "@ipMatch 0.0.0.0/0", "@detectSQLi x", "@validateByteRange x", "@", "!@", "@nonsense x", "@contains a\\\\\\"} {
		texts = append(texts, `SecRule ARGS "`+operator+`" "id:1,deny"`)
	}
	for _, action := range []string{"exec:/bin/sh", "exec:'/bin/sh'", "proxy:http://x", "initcol:ip=%{REMOTE_ADDR}", "setsid:x", "setuid:x", "setenv:PATH=x", "setvar:ip.x=1", "setvar:global.x=1", "setvar:tx.a=b,c=d'",
		"setvar:'tx.a=b=c'", "setvar:tx.a=%{ENV.PATH}", "prepend:x", "append:x", "sanitiseArg:x", "xmlns:a=b", "expirevar:tx.a=1", "ctl:debugLogLevel=9", "ctl:ruleRemoveById=x", "ctl:auditLogParts=+Q",
		"ctl:ruleRemoveTargetById=1;ENV:x", "ctl:ruleRemoveTargetById=1;ARGS|TX", "ctl", "t:nonsense", "phase:6", "phase:1,phase:2", "id:2", "deny,pass", "status:999", "status:1", "redirect:javascript:x", "redirect:'//%{ENV.x}'",
		"msg:'a\"b'", "msg:'5% of'", "msg:'%{nonsense}'", "msg:'a", "msg:a'b", "msg", "skipAfter:a b", "skip:x", "severity:9", "chain:x", "allow:all", "logdata:'a\\\\\\'", "", "pass,"} {
		texts = append(texts, `SecRule ARGS "x" "id:1,`+action+`"`)
	}
	texts = append(texts, `SecRule ARGS "x" "deny"`, `SecRule ARGS "x"`, "SecRule", `SecRule ARGS "x" "id:1,deny,chain"`, "SecRule ARGS \"x\" \"id:1,deny,chain\"\nSecRuleEngine On",
		"SecRule ARGS \"x\" \"id:1,deny,chain\"\nSecRule ARGS \"y\" \"id:2\"", "SecRule ARGS \"x\" \"id:1,deny,chain\"\nSecRule ARGS \"y\" \"pass\"")
	for _, text := range texts {
		if got, err := Rules.Parse(text); err == nil {
			t.Errorf("%.200q is taken as %q", text, got.Text)
		}
	}
}

func TestTransactionText(t *testing.T) {
	for text, want := range map[string]string{"$request_id": "${request_id}", "${req_id}-a_b": "${req_id}-a_b", "a$msec-$pid": "a${msec}-${pid}", "plain": "plain"} {
		if got, err := transactionText.Parse(text); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "$", "${", "$document_root", "${ssl_client_raw_cert}", "$request_idx", "a b", "a;", "a\"", "$http_authorization", "$cookie_a", "{}", "a}", "$1", strings.Repeat("a", 201), "a\n"} {
		if got, err := transactionText.Parse(text); err == nil {
			t.Errorf("%q is taken as %q", text, got)
		}
	}
}
