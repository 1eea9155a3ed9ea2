package option

import "testing"

func TestNames(t *testing.T) {
	check(t, DNSName, map[string]string{"A.example.org": "a.example.org", "web": "web", "_x.y": "_x.y"}, "", "a..b", "a;b", "a b", "$host", "a\n", "*.a", "-a", "a.")
	check(t, HostPort, map[string]string{"a:80": "a:80", "10.0.0.1": "10.0.0.1", "A": "a"}, "a:", "a:0", "a:99999", "a:b", "[::1]:80;", "$host", "")
	check(t, Reference, map[string]string{"a": "a", "a/b": "a/b"}, "", "a/", "/a", "a/b/c", "../a", "A", "a b")
}

// What rules out every cipher makes nginx refuse its whole file.
func TestCiphers(t *testing.T) {
	same := map[string]string{}
	for _, s := range []string{
		"HIGH:!aNULL:!MD5", "ECDHE-RSA-AES256-GCM-SHA384", "DEFAULT:@SECLEVEL=0", "EECDH+AESGCM:!RSA", "AES128-GCM-SHA256",
	} {
		same[s] = s
	}
	check(t, TenantCiphers, same, "", "!ALL", "HIGH:!ALL", "HIGH:-AES", "AES128-GCM-SHA256:!kRSA", "ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA_",
		"HIGH;", "HIGH:@SECLEVEL=9", "nothing", "HIGH: ", "HIGH:+", "AES128-SHA", "HIGH:!HIGH")
}
