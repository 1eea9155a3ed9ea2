package annotation

import (
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

func TestScopes(t *testing.T) {
	show := strings.NewReplacer(separator, "|", BlockOpen, "<", BlockClose, ">", "\n", " ")
	s := NewScope()
	for _, c := range []struct {
		check      func() option.Check[option.List]
		text, want string
	}{
		{s.HTTP, `map $http_user_agent $bad { default 0; ~*bot 1; "" 1; "a;b" "x y"; }`, "map|${http_user_agent}|$snippet_bad|< default|0 ~*bot|1 |1 a;b|x y >"},
		{s.HTTP, `map $uri $kind { volatile; "~^/a/" ${bad}-$host; }`, "map|${uri}|$snippet_kind|< volatile ~^/a/|${snippet_bad}-${host} >"},
		{s.HTTP, `geo $inside { default 0; 10.1.2.3/8 1; }`, "geo|$snippet_inside|< default|0 10.0.0.0/8|1 >"},
		{s.HTTP, `geo $remote_addr $there { ::1 1; }`, "geo|$remote_addr|$snippet_there|< ::1|1 >"},
		{s.HTTP, `split_clients "$remote_addr$host" $part { 12.5% a; * b; }`, "split_clients|${remote_addr}${host}|$snippet_part|< 12.5%|a *|b >"},
		{s.HTTP, `limit_req_zone $binary_remote_addr zone=one:10m rate=5r/s; limit_conn_zone $bad zone=two:1m;`, "limit_req_zone|$binary_remote_addr|zone=snippet_one:10m|rate=5r/s limit_conn_zone|${snippet_bad}|zone=snippet_two:1m"},
		{s.HTTP, `server { listen 8080 default_server; listen [::]:8080; server_name _; location = /a { if ($bad) { return 403; } return 200; } return 301 https://$host$request_uri; }`,
			"server|< listen|8080|default_server listen|[::]:8080 server_name|_ location|=|/a|< if|($snippet_bad|)|< return|403 > return|200 > return|301|https://${host}${request_uri} >"},
		{s.Server, `if ($bad) { return 403; } set $mine 1; limit_req zone=one burst=5 nodelay;`, "if|($snippet_bad|)|< return|403 > set|$snippet_mine|1 limit_req|zone=snippet_one|burst=5|nodelay"},
		{s.Location, `add_header X-A "$mine$part"; limit_conn two 3;`, "add_header|X-A|${snippet_mine}${snippet_part} limit_conn|snippet_two|3"},
		{s.Main, `worker_priority -5; pcre_jit on; env TZ; thread_pool one threads=4;`, "worker_priority|-5 pcre_jit|on env|TZ thread_pool|one|threads=4"},
	} {
		got, err := c.check().Parse(c.text)
		if err != nil || show.Replace(string(got)) != c.want {
			t.Errorf("%s: %q, %v", c.text, show.Replace(string(got)), err)
		}
	}
}

func TestScopesRefuse(t *testing.T) {
	s := NewScope()
	if _, err := s.HTTP().Parse(`map $host $known { default 1; } limit_req_zone $host zone=one:1m rate=1r/s;`); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"load_module x.so;", "user root;", "error_log /etc/x;", "pid /x;", "env LD_PRELOAD=/x;", "env a;", "include /etc/passwd;", "worker_processes 4;", "events { }", "http { }", "daemon on;",
		"thread_pool x;", "thread_pool x threads=0;", "worker_priority -21;", "ssl_engine x;", "pcre_jit on; pcre_jit on;", "working_directory /;",
	} {
		if got, err := s.Main().Parse(text); err == nil {
			t.Errorf("main: %s: taken as %q", text, got)
		}
	}
	for _, text := range []string{
		"lua_package_path x;", "init_by_lua_block { x }", "map $host $a { include /etc/passwd; }", `map $host $a { include "/etc/passwd"; }`, "map $host $A { default 1; }", "map $host a { default 1; }",
		"map $document_root $a { default 1; }", "map $host $a { ~(?<route>.*) 1; }", "map $host $a { ~(a)(b) $1; }", "map $host $a { a $uri; }", "map $host $a { a 1; A 2; }", "map $host $a { a { b 1; } }",
		`map $host $a { a 'b\\'; }`, `map $host $a { 'a\\' b; }`, "map $host { a 1; }", "map $host $a;", "map $host $a { \\~a 1; }", "map $host $route { default 1; } map $host $b { default $route_x; }",
		"geo $a { default $host; }", "geo $host $a { 10.0.0.0/33 1; }", "geo $a { include /x; }", "geo $a { ranges; 1.1.1.1-2.2.2.2 1; }", "geo $a { 10.0.0.1/8 1; 10.0.0.0/8 2; }", "geo x$host $a { }",
		"split_clients $host $a { 60% a; 50% b; }", "split_clients $host $a { * a; 50% b; }", "split_clients $host $a { x a; }", "split_clients $host $a { 0% a; }",
		"proxy_cache_path /x keys_zone=a:1m;", "log_format x y;", "access_log /x;", "upstream x { server 10.0.0.1; }", "resolver 8.8.8.8;", "perl_modules x;", "js_import x;", "types { a b; }",
		"limit_req_zone $host zone=one:1m rate=1r/s;", "limit_req_zone $host zone=two:1k rate=1r/s;", "limit_req_zone $host zone=a;b:1m rate=1r/s;", "limit_req_zone $host zone=two:1m rate=0r/s;",
		"limit_conn_zone $document_root zone=two:1m;", "server { }", "server { return 200; }", "server { listen unix:/x; }", "server { listen 0; }", "server { listen 65536; }", "server { listen 10.0.0.1:80; }",
		"server { listen 8080 reuseport; }", "server { listen 8080 ssl; }", "server { listen 8080; root /; }", "server { listen 8080; location / { alias /; } }", "server { listen 8080; location / { proxy_pass http://x; } }",
		"server { listen 8080; location / { } location / { } }", "server { listen 8080; location @x { } }", "server { listen 8080; location / { location /a { } } }", "server { listen 8080; server { listen 1; } }",
		"server { listen 8080; server_name ~^x$; }", "server { listen 8080; server_name a a; }", "server a { listen 8080; }", "server { listen 8080; map $host $x { } }", "add_header X 'a\\';",
		"if ($host = a) { return 200; }", "location / { return 200; }", "return 200;", "set $a 1;", "proxy_set_header A b;", "server { listen 8080; content_by_lua_block { x } }", "map $host $a { default 1; } }",
	} {
		if got, err := s.HTTP().Parse(text); err == nil {
			t.Errorf("http: %s: taken as %q", text, got)
		}
	}
	for _, text := range []string{
		"limit_req zone=none;", "limit_req zone=one burst=x;", "limit_req zone=one nodelay delay=1;", "limit_req zone=one burst=1 burst=2;", "limit_conn one 1;", "limit_req_zone $host zone=x:1m rate=1r/s;",
		"add_header A $a;", "map $host $x { default 1; }", "listen 8080;", "server_name x;", "location / { return 200; }",
	} {
		if got, err := s.Server().Parse(text); err == nil {
			t.Errorf("server: %s: taken as %q", text, got)
		}
	}
	if _, ok := s.Variable("a"); ok {
		t.Error("a directive that was refused declared a variable")
	}
}
