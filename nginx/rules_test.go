package nginx

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFindRules(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found := func() Rules {
		r, err := FindRules(root)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := found(); r.Recommended != nil || r.Core != nil {
		t.Errorf("nothing is installed: %+v", r)
	}
	write("etc/nginx/modsecurity.conf", "SecRuleEngine On\nSecAuditLog /var/log/x\n secdatadir /tmp\nSecAuditLogParts ABZ\nSecUnicodeMapFile unicode.mapping 20127\n")
	want := "SecRuleEngine On\n\n\nSecAuditLogParts ABZ\nSecUnicodeMapFile " + root + "/etc/nginx/unicode.mapping 20127\n"
	if r := found(); string(r.Recommended) != want || r.Core != nil {
		t.Errorf("the recommended configuration is\n%swant\n%s", r.Recommended, want)
	}
	write("etc/modsecurity/crs/crs-setup.conf", "")
	write("etc/modsecurity/crs/RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf", "")
	if r := found(); r.Core != nil {
		t.Errorf("half of the Core Rule Set is taken for it: %v", r.Core)
	}
	write("usr/share/modsecurity-crs/rules/REQUEST-901-INITIALIZATION.conf", "")
	var names []string
	for _, path := range found().Core {
		names = append(names, strings.TrimPrefix(path, root))
	}
	if !slices.Equal(names, []string{"/etc/modsecurity/crs/crs-setup.conf", "/usr/share/modsecurity-crs/rules/*.conf", "/etc/modsecurity/crs/RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf"}) {
		t.Errorf("the Core Rule Set is %v", names)
	}
}
