package nginx

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInspectNamesWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	version := `echo "nginx version: nginx/1.26.3" >&2; echo "configure arguments: --modules-path=` + dir + ` --with-stream=dynamic" >&2`
	if err := os.WriteFile(filepath.Join(dir, "ngx_stream_module.so"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, binary, want string }{
		{"no nginx", filepath.Join(dir, "absent"), "install the package nginx"},
		{"not nginx", script("true", "exit 0"), "no version"},
		{"fails", script("false", "echo broken; exit 1"), "broken"},
		{"no lua module", script("bare", version), "install the package libnginx-mod-http-lua"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Inspect(t.Context(), c.binary)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	for missing, want := range map[string]string{
		"resty.core": "install the package lua-resty-core",
		"cjson.safe": "install the package lua-cjson",
	} {
		said := "nginx: [error] init_by_lua error: init_by_lua:1: module '" + missing + "' not found:"
		binary := script(missing, `if [ "$1" = -V ]; then `+version+`; else echo "`+said+`" >&2; exit 1; fi`)
		if err := os.WriteFile(filepath.Join(dir, "ngx_http_lua_module.so"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		build, err := Inspect(t.Context(), binary)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", missing, err, want)
		}
		if build.Version != [3]int{1, 26, 3} || build.Modules["stream"] == "" {
			t.Errorf("build is %+v", build)
		}
		if _, ok := build.Modules["ndk"]; ok {
			t.Error("ndk is there without its file")
		}
	}
}

func TestInspectTheInstalledNginx(t *testing.T) {
	build, err := Inspect(t.Context(), "nginx")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ndk", "lua", "stream"} {
		if _, ok := build.Modules[name]; !ok {
			t.Errorf("module %s is missing: %+v", name, build)
		}
	}
}
