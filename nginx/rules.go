package nginx

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// Rules are what ModSecurity's packages have; nothing where one is missing.
type Rules struct {
	Recommended []byte   // the configuration that comes with nginx's module, for a file anywhere
	Core        []string // the files of the OWASP Core Rule Set, in order; they may have stars
}

// FindRules looks for the files where Debian has them, below a root folder.
func FindRules(root string) (Rules, error) {
	var r Rules
	for _, name := range []string{"etc/nginx/modsecurity.conf", "usr/share/nginx/docs/modsecurity/modsecurity.conf"} {
		path := filepath.Join(root, name)
		if !exists(path) {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return r, fmt.Errorf("ModSecurity's recommended configuration: %w", err)
		}
		r.Recommended = portable(content, filepath.Dir(path))
		break
	}
	crs, rules := filepath.Join(root, "etc/modsecurity/crs"), filepath.Join(root, "usr/share/modsecurity-crs/rules")
	if !exists(crs+"/crs-setup.conf") || !exists(rules+"/REQUEST-901-INITIALIZATION.conf") {
		return r, nil
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
	return r, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

var (
	writing  = regexp.MustCompile(`(?im)^[ \t]*(SecAuditLog|SecAuditLogStorageDir|SecDebugLog|SecTmpDir|SecDataDir|SecUploadDir)[ \t].*$`)
	relative = regexp.MustCompile(`(?im)^([ \t]*SecUnicodeMapFile[ \t]+)([^/\s])`)
)

// portable is rules without what names files to write, which not everybody may
// write, and with full names of those to read.
func portable(rules []byte, dir string) []byte {
	return relative.ReplaceAll(writing.ReplaceAll(rules, nil), []byte("${1}"+dir+"/${2}"))
}
