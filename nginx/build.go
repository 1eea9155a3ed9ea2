package nginx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Build is what an nginx binary is made of.
type Build struct {
	Version     [3]int
	VersionText string // such as "1.26.3"
	ModulesPath string
	HTTP3       bool // it can speak HTTP/3
	// Modules has the path of each module that can be had, by "ndk", "lua",
	// "stream", "brotli", "geoip2" and "modsecurity"; the path is "" where the module is built in.
	Modules map[string]string
}

// moduleFiles are the modules' names as files and in configure arguments.
var moduleFiles = map[string]struct{ file, builtIn string }{
	"ndk":         {"ndk_http_module.so", `--add-module=\S*(ngx_devel_kit|ndk)`},
	"lua":         {"ngx_http_lua_module.so", `--add-module=\S*lua-nginx-module|--add-module=\S*ngx_lua`},
	"stream":      {"ngx_stream_module.so", `--with-stream(\s|$)`},
	"modsecurity": {"ngx_http_modsecurity_module.so", `--add-module=\S*(?i:modsecurity)`},
	"geoip2":      {"ngx_http_geoip2_module.so", `--add-module=\S*geoip2`},
	"brotli":      {"ngx_http_brotli_filter_module.so", `--add-module=\S*brotli`},
}

var (
	versionWords = regexp.MustCompile(`nginx version: \S+/((\d+)\.(\d+)\.(\d+))`)
	modulesPath  = regexp.MustCompile(`--modules-path=(\S+)`)
	prefixPath   = regexp.MustCompile(`--prefix=(\S+)`)
)

// Inspect asks an nginx binary what it is, and tries whether it can run the
// data plane. The error names the Debian package to install where nginx, its
// Lua module or a Lua library is missing.
func Inspect(ctx context.Context, binary string) (Build, error) {
	path, err := exec.LookPath(binary)
	if err != nil {
		return Build{}, fmt.Errorf("nginx is missing, install the package nginx: %w", err)
	}
	said, err := exec.CommandContext(ctx, path, "-V").CombinedOutput()
	if err != nil {
		return Build{}, fmt.Errorf("%s -V: %w: %s", path, err, said)
	}
	build, err := parseBuild(string(said))
	if err != nil {
		return Build{}, fmt.Errorf("%s -V: %w", path, err)
	}
	if _, ok := build.Modules["lua"]; !ok {
		return build, fmt.Errorf("nginx's Lua module is missing in %s, install the package libnginx-mod-http-lua", build.ModulesPath)
	}
	return build, tryLua(ctx, path, build)
}

func parseBuild(said string) (Build, error) {
	version := versionWords.FindStringSubmatch(said)
	if version == nil {
		return Build{}, fmt.Errorf("no version in %q", said)
	}
	build := Build{VersionText: version[1], Modules: map[string]string{}}
	for i := range build.Version {
		build.Version[i], _ = strconv.Atoi(version[i+2]) // the expression allows digits only
	}
	if at := modulesPath.FindStringSubmatch(said); at != nil {
		build.ModulesPath = at[1]
	} else if at := prefixPath.FindStringSubmatch(said); at != nil {
		build.ModulesPath = filepath.Join(at[1], "modules")
	}
	build.HTTP3 = strings.Contains(said, "--with-http_v3_module")
	for name, module := range moduleFiles {
		file := filepath.Join(build.ModulesPath, module.file)
		if regexp.MustCompile(module.builtIn).MatchString(said) {
			build.Modules[name] = ""
		} else if _, err := os.Stat(file); err == nil {
			build.Modules[name] = file
		}
	}
	return build, nil
}

// tryLua lets nginx load the libraries that the data plane is written for:
// where it looks for them is known to nginx alone.
func tryLua(ctx context.Context, binary string, build Build) error {
	dir, err := os.MkdirTemp("", "nginx-inspect-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(trialConf(dir, build)), 0o600); err != nil {
		return err
	}
	said, err := exec.CommandContext(ctx, binary, "-t", "-q", "-c", conf, "-p", dir).CombinedOutput()
	if err == nil {
		return nil
	}
	for words, name := range map[string]string{"resty": "lua-resty-core", "cjson": "lua-cjson"} {
		if missing := "module '" + words; strings.Contains(string(said), missing) {
			return fmt.Errorf("a Lua library of nginx is missing, install the package %s: %w", name, refusal(said, err))
		}
	}
	if words := complaint(said); words != nil {
		err = words
	}
	return errors.Join(errors.New("nginx cannot run Lua"), err)
}

func trialConf(dir string, build Build) string {
	var b strings.Builder
	for _, name := range []string{"ndk", "lua"} { // lua needs ndk's symbols
		if file := build.Modules[name]; file != "" {
			fmt.Fprintf(&b, "load_module %s;\n", file)
		}
	}
	fmt.Fprintf(&b, "pid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n", dir)
	for _, use := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "%s_temp_path %s/%s;\n", use, dir, use)
	}
	b.WriteString(`init_by_lua_block { require("ngx.balancer") require("ngx.ssl") require("cjson.safe") }` + "\n}\n")
	return b.String()
}
