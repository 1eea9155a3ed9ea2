package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/nginx"
)

func TestFlawsAreTold(t *testing.T) {
	t.Setenv("POD_NAME", "sallyport-0")
	t.Setenv("POD_NAMESPACE", "edge")
	for pkg, want := range map[string]struct {
		log   string
		event bool
	}{
		"1.26.3-3+deb13u11": {"", false},
		"1.26.3-3+deb13u10": {"install a newer one", true},
		"":                  {"install a newer one", true},
		"1.26.3-1ubuntu1":   {"unless its package mends them", false},
	} {
		b := nginx.Build{Version: [3]int{1, 26, 3}, VersionText: "1.26.3"}
		var log bytes.Buffer
		problems := flawed(b, tellFlaws(b, pkg, slog.New(slog.NewTextHandler(&log, nil))))
		if text := log.String(); want.log == "" && text != "" || !strings.Contains(text, want.log) || want.log != "" && !strings.Contains(text, "CVE-2026-123007 (a client of HTTP/2 can overflow memory)") {
			t.Errorf("package %q: the log has %q, want %q", pkg, text, want.log)
		}
		switch {
		case !want.event && len(problems) > 0:
			t.Errorf("package %q: %v", pkg, problems)
		case want.event && (len(problems) != 1 || !strings.HasPrefix(problems[0].String(), "Pod edge/sallyport-0: nginx 1.26.3 has known vulnerabilities") || !strings.Contains(problems[0].Reason, "CVE-2026-123633")):
			t.Errorf("package %q: %v", pkg, problems)
		}
	}
	t.Setenv("POD_NAME", "")
	if got := flawed(nginx.Build{}, []nginx.Flaw{{CVE: "CVE-1"}}); got != nil {
		t.Errorf("an Event about no pod: %v", got)
	}
}
