package nginx

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A site is a configuration for these tests: one server whose locations are
// the routes' paths.
type site struct {
	at            Paths
	build         Build
	http, https   int
	user          string
	routes        []string // route ids; the location of route a is /a/
	dict          string   // size of sallyport_data
	workers       int
	metrics       bool
	rows          int // that a worker counts
	native        bool
	reuseport     bool
	extra         string // directives for the http block
	locationExtra string
	inServer      string // more locations
}

func (s site) conf() []byte {
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if s.user != "" {
		w("user %s;", s.user)
	}
	w("daemon off; pid %s; error_log stderr notice; worker_processes %d; worker_shutdown_timeout 240s;", s.at.Pid, s.workers)
	for _, name := range []string{"ndk", "lua"} {
		if file := s.build.Modules[name]; file != "" {
			w("load_module %s;", file)
		}
	}
	w("events { worker_connections 2048; multi_accept on; }\nhttp {\naccess_log off; uninitialized_variable_warn off;")
	for _, use := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		w("%s_temp_path %s/%s;", use, s.at.Temp, use)
	}
	w("keepalive_requests 10000000; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_next_upstream_tries 3;")
	w("lua_package_path \"%s/?.lua;;\"; lua_shared_dict sallyport_data %s;", s.at.Lua, s.dict)
	metrics := "nil"
	if s.metrics {
		w("lua_shared_dict sallyport_requests 20m; log_by_lua_block { sallyport.log() } exit_worker_by_lua_block { sallyport.exit() }")
		metrics = fmt.Sprintf("{ rows = %d, time = {0.005, 0.01, 0.1, 1}, length = {100, 1000}, size = {10, 100, 1000}, schema = %s }", s.rows, map[bool]string{true: "3", false: "nil"}[s.native])
	}
	w("init_by_lua_block { require(\"sallyport\").init({names = true, dir = %q, unavailable = \"unix:%s\", metrics = %s}) }",
		s.at.Dir, s.at.Unavailable, metrics)
	w("init_worker_by_lua_block { sallyport.worker(\"GENERATION\") }")
	w("map $route $proxy_upstream_name { default \"-\"; } map $route $proxy_alternative_upstream_name { default \"\"; } map $proxy_alternative_upstream_name $had { default \"\"; }\n%s", s.extra)
	w("upstream backends { server 0.0.0.1; balancer_by_lua_block { sallyport.balance() } keepalive 320; }")
	port := ""
	if s.reuseport {
		port = " reuseport"
	}
	w("server { listen 127.0.0.1:%d%s;", s.http, port)
	if s.https != 0 {
		w("listen 127.0.0.1:%d ssl%s; ssl_certificate %s; ssl_certificate_key %s;",
			s.https, port, s.at.DefaultCert, s.at.DefaultKey)
		w("ssl_protocols TLSv1.2 TLSv1.3; ssl_client_hello_by_lua_block { sallyport.certificate() }")
	}
	for _, id := range s.routes {
		w("location /%s/ { set $route %s; add_header X-Name $proxy_upstream_name always; %s proxy_pass http://backends; }",
			id, id, s.locationExtra)
	}
	w("%s}", s.inServer)
	uncounted := ""
	if s.metrics {
		uncounted = "log_by_lua_block { }"
	}
	w("server { listen unix:%s; access_log off; %s location / { client_max_body_size 0; client_body_buffer_size 1m;"+
		" content_by_lua_block { sallyport.control() } } location = /nginx_status { stub_status; } }", s.at.Control, uncounted)
	w("server { listen unix:%s; access_log off; %s return 503; }\n}", s.at.Unavailable, uncounted)
	text := b.String()
	sum := sha256.Sum256([]byte(text))
	return []byte(strings.Replace(text, "GENERATION", fmt.Sprintf("%x", sum[:16]), 1))
}

// A lab is a running nginx with a site.
type lab struct {
	*Nginx
	site
	t *testing.T
}

// newLab prepares an nginx that is not started yet. What it leaves running is
// ended with the test.
func newLab(t *testing.T) *lab {
	t.Helper()
	// Not t.TempDir: its path is too long for a socket, and closed to nobody.
	dir, err := os.MkdirTemp("", "nginx-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return labIn(t, filepath.Join(dir, "w"))
}

func labIn(t *testing.T, dir string) *lab {
	t.Helper()
	build, err := Inspect(t.Context(), "nginx")
	if err != nil {
		t.Fatalf("these tests need a real nginx: %v", err)
	}
	if parent := filepath.Dir(dir); os.Geteuid() == 0 {
		if err := os.Chmod(parent, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	logs := logFile(t)
	n, err := New(Options{Dir: dir, Log: slog.New(slog.NewTextHandler(logs, nil)), Stdout: logs, Stderr: logs})
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{n, site{at: n.Paths(), build: build, http: freePort(t), routes: []string{"a", "b"},
		dict: "8m", workers: 2, rows: 10000}, t}
	if os.Geteuid() == 0 {
		l.user = "nobody nogroup"
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = l.Quit(ctx)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// logFile is a file that is shown when the test has failed.
func logFile(t *testing.T) *os.File {
	f, err := os.CreateTemp("", "nginx-log-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(f.Name())
			t.Logf("log:\n%s", text)
		}
		f.Close()
		os.Remove(f.Name())
	})
	return f
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// limit bounds what a broken nginx could make wait forever.
func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (l *lab) start(data map[string]string) {
	l.t.Helper()
	if err := l.Start(limit(l.t), l.conf(), data); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) push(set map[string]string, del ...string) {
	l.t.Helper()
	if err := l.Push(limit(l.t), set, del); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", l.http, path) }

// route and backend are data items.
func route(id, backend string) (string, string) {
	return "r:" + id, fmt.Sprintf(`{"backend":%q,"name":"name-%s","namespace":"default","ingress":"web","service":"web","port":"80","host":"a.example.org","path":"/%s/"}`, backend, id, id)
}

func backend(id string, endpoints ...string) (string, string) {
	list := [][]any{}
	for _, e := range endpoints {
		host, port, err := net.SplitHostPort(e)
		if err != nil {
			panic(err)
		}
		number, _ := strconv.Atoi(port)
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		list = append(list, []any{host, number, 1})
	}
	text, _ := json.Marshal(map[string]any{"endpoints": list})
	return "b:" + id, string(text)
}

func set(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// simple is the data of route a with those endpoints.
func simple(endpoints ...string) map[string]string {
	rk, rv := route("a", "default/web/80")
	bk, bv := backend("default/web/80", endpoints...)
	return set(rk, rv, bk, bv)
}

// echo runs a server that answers with its name, and returns its address.
func echo(t *testing.T, name string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, name)
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// newClient is a client that does not keep connections, so that its requests
// reach all workers.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

// ask makes one request and returns the status and the body.
func ask(t *testing.T, client *http.Client, method, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(limit(t), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	return ask(t, client, http.MethodGet, url)
}
