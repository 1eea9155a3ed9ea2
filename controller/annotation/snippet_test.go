package annotation

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSnippets(t *testing.T) {
	show := strings.NewReplacer(separator, "|", BlockOpen, "<", BlockClose, ">", "\n", " ")
	for text, want := range map[string]string{
		`add_header X-A "b c" always; # why`:                            "add_header|X-A|b c|always",
		`add_header X "};" ;`:                                           "add_header|X|};",
		`more_set_headers "X-A: b" 'X-B: $host';`:                       "proxy_hide_header|X-A add_header|X-A|b|always proxy_hide_header|X-B add_header|X-B|${host}|always",
		"set $route 1;\nproxy_set_header X $route;":                     "set|$snippet_route|1 proxy_set_header|X|${snippet_route}",
		`if ($http_x = "") { return 403; }`:                             "if|($http_x|=||)|< return|403 >",
		`if ( $request_method ~* "^(GET|PUT)$" ){return 200 "a;b";}`:    "if|($request_method|~*|^(GET|PUT)$|)|< return|200|a;b >",
		`if ($https) { rewrite ^/a/(.*)$ /b/$1 permanent; }`:            "if|($https|)|< rewrite|^/a/(.*)$|/b/$1|permanent >",
		`gzip on; gzip_types text/css a/b; allow 10.1.2.3/8; deny all;`: "gzip|on gzip_types|text/css|a/b allow|10.0.0.0/8 deny|all",
	} {
		got, err := snippetCheck(inLocation).Parse(text)
		if err != nil || show.Replace(string(got)) != want {
			t.Errorf("%s: %q, %v", text, show.Replace(string(got)), err)
		}
	}
	for _, text := range []string{
		"content_by_lua_block { os.execute('id') }", "load_module x.so;", "include /etc/passwd;", "alias /;", "root /;", "proxy_pass http://x;",
		"location / { return 200; }", "} location / {", "return 200", "return 200;}", "{", "}", ";", "return;", "return 200 $uri;", "return 200 $1;",
		"set $x $uri; return 200 $x;", "add_header A $document_root;", "add_header A $remote_user;", "proxy_set_header A ${ssl_server_name};", "more_set_headers \"A: $remote_user\";", "add_header A\nB c d;", "add_header \"A: b\" c;", "add_header A \"\x00\";", "add_header A \"b\nc\";",
		"add_header A 'b\\';", "add_header A b\\;", "proxy_set_header Content-Length 1;", "proxy_set_header Transfer-Encoding x;", "rewrite ^/(.*)$ /x?y=$1 last;",
		"rewrite ^/((a)b)$ /$1;", "if ($uri ~ '((a))') { return 200; }", "if (-f /etc/passwd) { return 200; }", "if ($x = 1) { add_header A b; }", "if ($http_a = 1) { if ($http_b = 1) { return 200; } }",
		"if ($http_a = $http_b) { return 200; }", "set $http_x 1; set route 1;", "set ${a} 1;", "error_page 401 /public;", "error_page 404 =200 http://x;", "gzip on; gzip on;", "gzip maybe;",
		"deny 10.0.0.0/33;", "deny unix:;", "ssl_engine x;", "access_by_lua_file x;", "gzip { }", "add_header \"A\"b c;", "\"include\" /etc/passwd;", "inc\\lude x;",
		"if ($http_a ~ '(?<route>.*)') { return 200; }", "rewrite (?P<route>.*) /;", "if ($http_a ~ '') { return 200; }", "client_max_body_size 1;", "return 301 \"$document_root\";", "return 200 \"$\";", "return 200 '${host';",
	} {
		if got, err := snippetCheck(inLocation).Parse(text); err == nil {
			t.Errorf("%s: taken as %q", text, show.Replace(string(got)))
		}
	}
}

func TestStreamSnippets(t *testing.T) {
	got, err := StreamSnippet.Parse("# why\nserver { listen 0.0.0.0:9000 udp reuseport; proxy_pass Web.shop.svc:80; proxy_timeout 90; proxy_responses 2; }\nserver{listen 9001 proxy_protocol;proxy_pass [fd00::1]:80;proxy_protocol on;proxy_connect_timeout 1500ms;}")
	want := []Stream{
		{Port: 9000, UDP: true, Target: "web.shop.svc:80", Timeout: 90 * time.Second, Responses: 2},
		{Port: 9001, AcceptProxy: true, SendProxy: true, Target: "[fd00::1]:80", ConnectTimeout: 1500 * time.Millisecond},
	}
	if err != nil || !slices.Equal(Streams(got), want) {
		t.Errorf("%+v, %v", Streams(got), err)
	}
	const pass = "proxy_pass web.shop.svc:80;"
	for _, text := range []string{
		"server { listen 80; " + pass + " }", "server { listen 1023; " + pass + " }", "server { listen 65536; " + pass + " }", "server { listen 127.0.0.1:9000; " + pass + " }",
		"server { listen unix:/x; " + pass + " }", "server { listen 9000 ssl; " + pass + " }", "server { listen 9000 udp proxy_protocol; " + pass + " }", "server { listen 9000; }",
		"server { " + pass + " }", "server { listen 9000; proxy_pass unix:/run/docker.sock; }", "server { listen 9000; proxy_pass $remote_addr:80; }", "server { listen 9000; proxy_pass web; }",
		"server { listen 9000; proxy_pass web:0; }", "server { listen 9000; listen 9001; " + pass + " }", "server { listen 9000; " + pass + " preread_by_lua_block { } }",
		"server { listen 9000; " + pass + " ssl_preread on; }", "server { listen 9000; " + pass + " error_log /etc/x; }", "upstream x { server unix:/x; }", "include /etc/passwd;", "map a b { }",
		"server { listen 9000; " + pass + " proxy_timeout -1s; }", "server { listen 9000; " + pass + " proxy_timeout 999h; }", "server { listen 9000; " + pass, "server x { }", "server;",
		"server { listen 9000; proxy_pass \"web.shop.svc:80; } server { listen 1;\"; }", "load_module x.so;", "server { listen 9000; proxy_pass web\n.svc:80; }",
	} {
		if got, err := StreamSnippet.Parse(text); err == nil {
			t.Errorf("%s: taken as %q", text, got)
		}
	}
}
