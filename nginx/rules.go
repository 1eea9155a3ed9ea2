package nginx

import (
	"os"
	"path/filepath"
)

// Rules are the files that ModSecurity's packages have; none where one is
// missing.
type Rules struct {
	Recommended string   // the configuration that comes with nginx's module
	Core        []string // the OWASP Core Rule Set, in order; they may have stars
}

// FindRules looks for the files where Debian has them, below a root folder.
func FindRules(root string) Rules {
	var r Rules
	for _, name := range []string{"etc/nginx/modsecurity.conf", "usr/share/nginx/docs/modsecurity/modsecurity.conf"} {
		if path := filepath.Join(root, name); r.Recommended == "" && exists(path) {
			r.Recommended = path
		}
	}
	crs, rules := filepath.Join(root, "etc/modsecurity/crs"), filepath.Join(root, "usr/share/modsecurity-crs/rules")
	if !exists(crs+"/crs-setup.conf") || !exists(rules+"/REQUEST-901-INITIALIZATION.conf") {
		return r
	}
	r.Core = []string{crs + "/crs-setup.conf"}
	// Those of the operator are conffiles, which may be gone.
	if before := crs + "/REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf"; exists(before) {
		r.Core = append(r.Core, before)
	}
	r.Core = append(r.Core, rules+"/*.conf")
	if after := crs + "/RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf"; exists(after) {
		r.Core = append(r.Core, after)
	}
	return r
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
