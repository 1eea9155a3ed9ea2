package admission

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"
)

// files are those of the certificates. They are looked at when a connection
// comes, for only then do they matter: nothing has to notice a change, and none
// is missed, whatever way a volume changes them.
type files struct {
	o Options

	mu      sync.Mutex
	seen    [3]stamp // when live was read, or failed to be
	live    *tls.Config
	err     error
	started bool
}

// A stamp tells one content of a file from another.
type stamp struct {
	at   time.Time
	size int64
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if path == "" || err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

// config is that of a new connection. Where the files are wrong, those before
// stay in force.
func (f *files) config(*tls.ClientHelloInfo) (*tls.Config, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := [3]stamp{stampOf(f.o.Certificate), stampOf(f.o.Key), stampOf(f.o.ClientCA)}
	if f.started && now == f.seen {
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

// read makes a config without session tickets: who comes back is verified by the
// authorities of now.
func (f *files) read() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(f.o.Certificate, f.o.Key)
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
