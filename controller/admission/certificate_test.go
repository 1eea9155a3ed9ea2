package admission

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// keyPair is a certificate that signs itself.
func keyPair(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

func write(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// served is the name in the certificate that a new connection is shown.
func served(t *testing.T, address string) (string, error) {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if p := conn.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
		t.Errorf("speaks %q", p)
	}
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func TestCertificatesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	s := newServer(newWorld(options(), nil))
	s.o.Log = slog.New(slog.NewTextHandler(&log, nil))
	s.o.Certificate, s.o.Key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener) }()
	at := listener.Addr().String()

	if _, err := served(t, at); err == nil {
		t.Error("answers without a certificate")
	}
	one, oneKey := keyPair(t, "one")
	write(t, dir, map[string][]byte{"tls.crt": one, "tls.key": oneKey})
	for _, step := range []struct {
		name  string
		files map[string][]byte
		want  string
	}{
		{"the first", nil, "one"},
		{"half of another, or none at all", map[string][]byte{"tls.key": []byte("none")}, "one"},
	} {
		write(t, dir, step.files)
		if got, err := served(t, at); got != step.want {
			t.Errorf("%s: %q (%v)", step.name, got, err)
		}
	}
	second, secondKey := keyPair(t, "second")
	write(t, dir, map[string][]byte{"tls.crt": second, "tls.key": secondKey})
	if got, err := served(t, at); got != "second" {
		t.Errorf("after a change: %q (%v)", got, err)
	}
	if err := os.Remove(filepath.Join(dir, "tls.crt")); err != nil {
		t.Fatal(err)
	}
	if got, err := served(t, at); got != "second" {
		t.Errorf("after it is gone: %q (%v)", got, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := bytes.Count(log.Bytes(), []byte("certificates can't be used")); n != 3 {
		t.Errorf("told %d times:\n%s", n, log.String())
	}
}

// A file of authorities that can't be used lets nobody in.
func TestClientAuthorities(t *testing.T) {
	dir := t.TempDir()
	f := &files{o: newServer(newWorld(options(), nil)).o}
	f.o.Certificate, f.o.Key, f.o.ClientCA = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), filepath.Join(dir, "ca.crt")
	certificate, key := keyPair(t, "one")
	write(t, dir, map[string][]byte{"tls.crt": certificate, "tls.key": key})
	if _, err := f.config(nil); err == nil {
		t.Error("no file is taken")
	}
	write(t, dir, map[string][]byte{"ca.crt": []byte("none")})
	if _, err := f.config(nil); err == nil {
		t.Error("a file without a certificate is taken")
	}
	write(t, dir, map[string][]byte{"ca.crt": certificate})
	config, err := f.config(nil)
	if err != nil || config.ClientAuth != tls.RequireAndVerifyClientCert || config.MinVersion < tls.VersionTLS12 {
		t.Errorf("%+v (%v)", config, err)
	}
}
