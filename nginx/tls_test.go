package nginx

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"testing"
	"time"
)

// pair makes a self-signed certificate of that name: its item's value, and
// the two files' content.
func pair(t *testing.T, name string, key crypto.Signer) (item string, chain, secret []byte) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	chain = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	text, err := json.Marshal(map[string]string{"chain": string(chain), "key": string(secret)})
	if err != nil {
		t.Fatal(err)
	}
	return string(text), chain, secret
}

func ec(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// secure is a lab that listens for TLS, with an RSA certificate named "file"
// in the files that nginx.conf names.
func secure(t *testing.T) *lab {
	t.Helper()
	l := newLab(t)
	l.https = freePort(t)
	_, chain, key := pair(t, "file", rsaKey(t))
	for name, content := range map[string][]byte{l.at.DefaultCert: chain, l.at.DefaultKey: key} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// served returns the common name of the certificate that a server name gets.
func served(t *testing.T, l *lab, name string, config *tls.Config) string {
	t.Helper()
	c := &tls.Config{}
	if config != nil {
		c = config.Clone()
	}
	c.InsecureSkipVerify, c.ServerName = true, name
	dialer := &tls.Dialer{Config: c}
	conn, err := dialer.DialContext(limit(t), "tcp", fmt.Sprintf("127.0.0.1:%d", l.https))
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestCertificateByServerName(t *testing.T) {
	l := secure(t)
	exact, _, _ := pair(t, "exact", ec(t))
	wild, _, _ := pair(t, "wild", rsaKey(t))
	data := simple(echo(t, "one"))
	data["c:1"], data["c:2"] = exact, wild
	data["h:a.example.org"], data["h:*.example.org"] = `"1"`, `"2"`
	l.start(data)
	check := func(name, want string, config *tls.Config) {
		t.Helper()
		for range 4 { // both workers, first time and from their cache
			if got := served(t, l, name, config); got != want {
				t.Errorf("%q: certificate %q, want %q", name, got, want)
			}
		}
	}
	check("a.example.org", "exact", nil)
	check("A.Example.ORG", "exact", nil)
	check("b.example.org", "wild", nil)
	check("c.b.example.org", "file", nil) // a wildcard stands for one label
	check("example.org", "file", nil)
	check("localhost", "file", nil)
	check("", "file", nil)
	check("a.example.org", "exact", &tls.Config{MaxVersion: tls.VersionTLS12})
	check("a.example.org", "exact", &tls.Config{MinVersion: tls.VersionTLS13})

	def, _, _ := pair(t, "default", ec(t))
	l.push(set("c:3", def, "h:", `"3"`))
	check("example.org", "default", nil)
	check("", "default", nil)
	check("a.example.org", "exact", nil)
}

func TestCertificateRotatesWithoutReload(t *testing.T) {
	l := secure(t)
	data := simple(echo(t, "one"))
	data["c:0"], _, _ = pair(t, "0", ec(t))
	data["h:a.example.org"] = `"0"`
	l.start(data)
	before := l.Pid()
	for i := 1; i <= 20; i++ {
		name := fmt.Sprint(i)
		item, _, _ := pair(t, name, ec(t))
		l.push(set("c:"+name, item, "h:a.example.org", `"`+name+`"`), "c:"+fmt.Sprint(i-1))
		for range 4 {
			if got := served(t, l, "a.example.org", nil); got != name {
				t.Fatalf("certificate %q, want %q", got, name)
			}
		}
	}
	if l.Pid() != before {
		t.Error("another nginx")
	}
	l.push(nil, "h:a.example.org", "c:20")
	if got := served(t, l, "a.example.org", nil); got != "file" {
		t.Errorf("after its end: %q, want the default", got)
	}
}

func TestBrokenCertificateServesTheDefault(t *testing.T) {
	l := secure(t)
	good, chain, _ := pair(t, "good", ec(t))
	_, _, otherKey := pair(t, "other", ec(t))
	_, _, otherKind := pair(t, "other", rsaKey(t))
	item := func(chain, key []byte) string {
		text, err := json.Marshal(map[string]string{"chain": string(chain), "key": string(key)})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	l.start(set("c:good", good, "h:good.example.org", `"good"`))
	for what, value := range map[string]string{
		"not json":            "{",
		"a number":            "7",
		"empty":               "{}",
		"no pem":              `{"chain":"x","key":"y"}`,
		"empty pem":           `{"chain":"","key":""}`,
		"key of another":      item(chain, otherKey),
		"key of other kind":   item(chain, otherKind),
		"chain twice, no key": item(chain, chain),
		"certificate cut":     item(chain[:len(chain)/2], otherKey),
	} {
		id := fmt.Sprintf("%x", what)
		l.push(set("c:"+id, value, "h:bad.example.org", `"`+id+`"`))
		for range 4 {
			if got := served(t, l, "bad.example.org", nil); got != "file" {
				t.Errorf("%s: %q, want the default", what, got)
			}
			if got := served(t, l, "good.example.org", nil); got != "good" {
				t.Errorf("%s: another host gets %q", what, got)
			}
		}
	}
	for what, value := range map[string]string{
		"no such certificate": `"nowhere"`, "not json": "{", "a number": "7", "null": "null",
	} {
		l.push(set("h:bad.example.org", value))
		if got := served(t, l, "bad.example.org", nil); got != "file" {
			t.Errorf("host item: %s: %q, want the default", what, got)
		}
	}
}

func insecure() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }
