package admission

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
)

// files are those of the certificates. They are looked at when a connection
// comes, for only then do they matter: nothing has to notice a change, and none
// is missed, whatever way a volume changes them.
type files struct {
	o Options

	mu      sync.Mutex
	seen    [3]os.FileInfo // when live was read, or failed to be
	live    *tls.Config
	err     error
	started bool
}

// look is what there is to see of a file without reading it, nil where there is
// none.
func look(path string) os.FileInfo {
	info, err := os.Stat(path)
	if path == "" || err != nil {
		return nil
	}
	return info
}

// same says whether a file was not replaced, nor written to.
func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// config is that of a new connection. Where the files are wrong, those before
// stay in force.
func (f *files) config(*tls.ClientHelloInfo) (*tls.Config, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := [3]os.FileInfo{look(f.o.Certificate), look(f.o.Key), look(f.o.ClientCA)}
	if f.started && f.o.Keeper == nil && same(now[0], f.seen[0]) && same(now[1], f.seen[1]) && same(now[2], f.seen[2]) {
		return f.live, f.err
	}
	f.started, f.seen = true, now
	config, err := f.read()
	if err != nil {
		f.o.Log.Error("the admission webhook's certificates can't be used", "error", err, "instead", f.instead())
		if f.live == nil {
			f.err = err
		}
		return f.live, f.err
	}
	f.live, f.err = config, nil
	return f.live, nil
}

func (f *files) instead() string {
	if f.live == nil {
		return "none, so nobody is answered"
	}
	return "those before"
}

func (f *files) pair() (tls.Certificate, error) {
	if f.o.Keeper == nil {
		return tls.LoadX509KeyPair(f.o.Certificate, f.o.Key)
	}
	c, err := f.o.Keeper.certificate()
	if err != nil {
		return tls.Certificate{}, err
	}
	return *c, nil
}

// read makes a config without session tickets: who comes back is verified by the
// authorities of now.
func (f *files) read() (*tls.Config, error) {
	pair, err := f.pair()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
		// Without HTTP/2 a connection holds one request, so that connections
		// bound what is held for requests.
		NextProtos: []string{"http/1.1"}, SessionTicketsDisabled: true,
	}
	if f.o.ClientCA == "" {
		return config, nil
	}
	text, err := os.ReadFile(f.o.ClientCA)
	if err != nil {
		return nil, err
	}
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate in it", f.o.ClientCA)
	}
	return config, nil
}
