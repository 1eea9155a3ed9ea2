package option

import "testing"

func TestProxyChecks(t *testing.T) {
	check(t, NextUpstream, map[string]string{"error  http_502": "error http_502", "off": "off"}, "error error", "http_501", "error;")
	check(t, CookieDomain, map[string]string{"off": "off", "a.b  c": "a.b c", ".a $host": ".a $host"},
		"a", "a b c", "off b", "$host a", "a $hosts", "a $http_cookie", "~a b", "a b;", "a \"b\"")
	check(t, CookiePath, map[string]string{"off": "off", "/a /": "/a /"}, "/a", "/ /;", "~/a /", "/a $uri", "/ /{", "a b", "/ /\"")
	check(t, HTTPErrors, map[string]List{"503, 404,404": "404\n503", "400": "400"}, "200", "499", "4040", "404;", "404 503", "600", "4o4")
	check(t, HeaderName, map[string]string{"X-A": "X-A"}, "", "a b", "a:b", "a\n", "é")
	check(t, Reference, map[string]string{"a": "a", "ns/a.b": "ns/a.b"}, "a/b/c", "/a", "../a", "A", "a;")
	check(t, ServiceName, map[string]string{"web-1": "web-1"}, "ns/web", "1web", "web.", "web;")
}

func TestBusyBuffers(t *testing.T) {
	for busy, want := range map[string]bool{"4k": true, "12k": true, "4095": false, "13k": false} {
		if got := BusyBuffers(busy, 4, "4k"); got != want {
			t.Errorf("%s beside 4 4k is %v", busy, got)
		}
	}
}
