package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

func TestTemplatesAreValid(t *testing.T) {
	if _, err := exec.LookPath("nginx"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("nginx is not installed: test/setup/install test")
		}
		t.Skip("nginx is not installed: test/setup/install test")
	}
	for _, name := range []string{"hand.conf.tmpl", "backend.conf.tmpl"} {
		dir := t.TempDir()
		h := handWritten{
			Dir: dir, HTTP: 0, HTTPS: 0, Host: speedHost, Backend: "127.0.0.1:1", Upstream: "a-b-80", AccessLog: filepath.Join(dir, "log"),
			Certificate: filepath.Join(dir, "chain.pem"), Key: filepath.Join(dir, "key.pem"),
		}
		h.HTTP, h.HTTPS = 18080, 18443
		err := lab.Attempt(name, io.Discard, func(s *lab.Session) {
			c := newCertificate(s, speedHost, 1)
			s.Must(os.WriteFile(h.Certificate, c.chain, 0o600), "certificate")
			s.Must(os.WriteFile(h.Key, c.key, 0o600), "key")
			var text strings.Builder
			s.Must(template.Must(template.ParseFS(confs, name)).Execute(&text, h), name)
			conf := filepath.Join(dir, "nginx.conf")
			s.Must(os.WriteFile(conf, []byte(text.String()), 0o600), name)
			if out, err := exec.Command("nginx", "-t", "-q", "-c", conf, "-e", "stderr").CombinedOutput(); err != nil {
				s.Fatalf("%v: %s", err, out)
			}
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
