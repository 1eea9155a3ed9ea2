package image

import (
	"bytes"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// visit calls f for each file of the tree, not of what is mounted into it.
func visit(t *testing.T, f func(path string, info fs.FileInfo)) {
	t.Helper()
	root := cluster.Root()
	err := filepath.Walk(root, func(path string, info fs.FileInfo, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, root)
		if slices.Contains([]string{"/proc", "/sys", "/dev", "/tmp"}, name) {
			return fs.SkipDir
		}
		f(name, info)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Nobody can become somebody else, and nobody but root may write to anything.
func TestModes(t *testing.T) {
	capable := map[string]string{}
	visit(t, func(path string, info fs.FileInfo) {
		mode := info.Mode()
		if mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 && mode.IsRegular() {
			t.Errorf("%s has mode %v", path, mode)
		}
		if mode.Perm()&0o002 != 0 && mode&fs.ModeSymlink == 0 && mode&fs.ModeSticky == 0 {
			t.Errorf("%s has mode %v: everybody may write", path, mode)
		}
		value := make([]byte, 64)
		if n, err := unix.Lgetxattr(cluster.Root()+path, "security.capability", value); err == nil {
			capable[path] = hex.EncodeToString(value[:n])
		}
	})
	// Version 2 without the effective bit, and bit 10 of the permitted ones
	// (struct vfs_cap_data of linux/capability.h).
	want := map[string]string{"/usr/bin/sallyport": "0000000200040000000000000000000000000000"}
	if fmt.Sprint(capable) != fmt.Sprint(want) {
		t.Errorf("files have capabilities %v, want %v", capable, want)
	}
}

// What strip takes away, nothing that stays may need.
func TestLibraries(t *testing.T) {
	loader := loader(t)
	checked := 0
	visit(t, func(path string, info fs.FileInfo) {
		if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 && !strings.Contains(path, ".so") {
			return
		}
		file, err := elf.Open(cluster.Root() + path)
		if err != nil {
			return // a script
		}
		defer file.Close()
		needed, err := file.ImportedLibraries()
		if err != nil || len(needed) == 0 {
			return
		}
		checked++
		out, err := inside(loader, "--list", path)
		if err != nil || strings.Contains(out, "not found") {
			t.Errorf("%s: %v: %s", path, err, out)
		}
	})
	if checked < 100 {
		t.Errorf("%d programs and libraries were found: this test sees nothing", checked)
	}
}

// loader is the dynamic one, as nginx names it.
func loader(t *testing.T) string {
	t.Helper()
	file, err := elf.Open(cluster.Root() + "/usr/sbin/nginx")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			text := make([]byte, p.Filesz)
			if _, err := p.ReadAt(text, 0); err != nil {
				t.Fatal(err)
			}
			return string(bytes.TrimRight(text, "\x00"))
		}
	}
	t.Fatal("nginx names no loader")
	return ""
}

// Each module of the packages is one that this nginx loads.
func TestModules(t *testing.T) {
	const folder = "/usr/lib/nginx/modules/"
	var conf strings.Builder
	// Those first that others want.
	for _, name := range []string{"ndk_http_module.so", "ngx_stream_module.so"} {
		fmt.Fprintf(&conf, "load_module %s%s;\n", folder, name)
	}
	files, err := os.ReadDir(cluster.Root() + folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if line := fmt.Sprintf("load_module %s%s;\n", folder, f.Name()); !strings.Contains(conf.String(), line) {
			conf.WriteString(line)
		}
	}
	for _, want := range []string{
		"http_lua", "stream", "headers_more", "brotli_filter", "brotli_static", "http_geoip2", "stream_geoip2", "modsecurity", "http_js", "stream_js",
	} {
		if !strings.Contains(conf.String(), want) {
			t.Errorf("there is no module %s in %s", want, folder)
		}
	}
	conf.WriteString("pid /tmp/try.pid; error_log stderr; events {} http { access_log off; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p;" +
		" fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s; init_by_lua_block { require('resty.core') require('cjson.safe') } }\n")
	path := filepath.Join(manifests(t, ""), "nginx.conf")
	if err := os.WriteFile(path, []byte(conf.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := inside("/usr/sbin/nginx", "-t", "-e", "stderr", "-c", path); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestTools(t *testing.T) {
	for _, c := range [][]string{
		{"/usr/bin/sallyport", "version"}, {cluster.ProxierInRoot, "version"}, {"/usr/sbin/nft", "--version"}, {"/usr/sbin/iptables", "--version"},
		{"/usr/sbin/ip6tables-restore", "--version"}, {"/usr/sbin/iptables-legacy-save", "--version"}, {"/usr/sbin/ipset", "--version"}, {"/usr/sbin/modprobe", "--version"},
	} {
		if out, err := inside(c...); err != nil || strings.TrimSpace(out) == "" {
			t.Errorf("%v: %v: %s", c, err, out)
		}
	}
	for _, gone := range []string{"/usr/bin/apt-get", "/usr/bin/perl", "/usr/bin/su", "/usr/sbin/setcap"} {
		if _, err := os.Stat(cluster.Root() + gone); err == nil {
			t.Errorf("%s is there", gone)
		}
	}
}

func TestSize(t *testing.T) {
	const budget = 250_000_000
	size := int64(0)
	visit(t, func(_ string, info fs.FileInfo) { size += info.Size() })
	if size > budget {
		t.Errorf("the tree has %d bytes, more than %d", size, budget)
	}
}
