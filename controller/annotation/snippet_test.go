package annotation

import (
	"strings"
	"testing"
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
		"set $x $uri; return 200 $x;", "add_header A $document_root;", "add_header A\nB c d;", "add_header \"A: b\" c;", "add_header A \"\x00\";", "add_header A \"b\nc\";",
		"add_header A 'b\\';", "add_header A b\\;", "proxy_set_header Content-Length 1;", "proxy_set_header Transfer-Encoding x;", "rewrite ^/(.*)$ /x?y=$1 last;",
		"rewrite ^/((a)b)$ /$1;", "if ($uri ~ '((a))') { return 200; }", "if (-f /etc/passwd) { return 200; }", "if ($x = 1) { add_header A b; }", "if ($http_a = 1) { if ($http_b = 1) { return 200; } }",
		"if ($http_a = $http_b) { return 200; }", "set $http_x 1; set route 1;", "set ${a} 1;", "error_page 401 /public;", "error_page 404 =200 http://x;", "gzip on; gzip on;", "gzip maybe;",
		"deny 10.0.0.0/33;", "deny unix:;", "ssl_engine x;", "access_by_lua_file x;", "gzip { }", "add_header \"A\"b c;", "\"include\" /etc/passwd;", "inc\\lude x;",
		"client_max_body_size 1;", "return 301 \"$document_root\";", "return 200 \"$\";", "return 200 '${host';",
	} {
		if got, err := snippetCheck(inLocation).Parse(text); err == nil {
			t.Errorf("%s: taken as %q", text, show.Replace(string(got)))
		}
	}
	if _, err := snippetCheck(inStream).Parse("server { listen 1; }"); err == nil {
		t.Error("a stream snippet is taken")
	}
}
