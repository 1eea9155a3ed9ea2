package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// The ports of a measure. They are the same each time: the network is private,
// and measures run one after the other.
const (
	productHTTP    = 8080
	productHTTPS   = 8443
	productHealth  = 10254
	productDefault = 8181
	handHTTP       = 8090
	handHTTPS      = 8453
	backendPort    = 9000
)

// listeners are the ports of a Sallyport.
type listeners struct{ http, https, health, fallback int }

func usualListeners() listeners {
	return listeners{productHTTP, productHTTPS, productHealth, productDefault}
}

// A product is a running Sallyport.
type product struct {
	*lab.Process
	dir string // as it is named outside of root
	log string // what it writes to standard output: the access log
}

// startProduct runs Sallyport until the session ends, and waits until it is
// ready. Where root isn't "" it runs in that root, with that root's nginx.
func startProduct(s *lab.Session, b *bench, root string, args ...string) *product {
	return startProductAt(s, b, root, usualListeners(), args...)
}

func startProductAt(s *lab.Session, b *bench, root string, at listeners, args ...string) *product {
	dir := lab.TempDir(s)
	args = append([]string{
		"--work-dir=" + filepath.Join(dir, "work"),
		"--http-port=" + strconv.Itoa(at.http),
		"--https-port=" + strconv.Itoa(at.https),
		"--healthz-port=" + strconv.Itoa(at.health),
		"--default-server-port=" + strconv.Itoa(at.fallback),
		"--profiling=false",
		"--shutdown-grace-period=0",
		"--nginx-binary=" + b.nginx,
	}, args...)
	binary := b.binary(s)
	if root != "" {
		enterable(s, root)
		binary = copyInto(s, dir, binary)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "POD_NAME=bench", "POD_NAMESPACE=sallyport")
	cmd.Dir = "/"
	if root != "" {
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	}
	s.Cleanup(func() { // runs once it has ended
		if s.Failed() {
			s.Logf("sallyport's last words: %s", lab.LastWords(filepath.Join(dir, "stderr"), 30))
		}
	})
	p := &product{Process: lab.Start(s, dir, cmd), dir: dir, log: filepath.Join(dir, "stdout")}
	p.Await(s, "it is ready", func() bool { return answers(fmt.Sprintf("http://127.0.0.1:%d/healthz", at.health)) })
	return p
}

// binary gives the path of Sallyport, and ends the session where there is none.
func (b *bench) binary(s *lab.Session) string {
	if b.sallyport == "" {
		s.Fatalf("there is no sallyport: it did not build, and %s names none", binaryVariable)
	}
	return b.sallyport
}

// copyInto copies a program to where a chroot sees it.
func copyInto(s *lab.Session, dir, program string) string {
	text, err := os.ReadFile(program)
	s.Must(err, "copy")
	target := filepath.Join(dir, filepath.Base(program))
	s.Must(os.WriteFile(target, text, 0o755), "copy")
	return target
}

// master gives the process id of its nginx.
func (p *product) master(s *lab.Session) int {
	text, err := os.ReadFile(filepath.Join(p.dir, "work", "nginx.pid"))
	s.Must(err, "nginx's process id")
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	s.Must(err, "nginx's process id")
	return pid
}

// httpAddress and httpsAddress are where it answers.
func httpAddress() string  { return fmt.Sprintf("127.0.0.1:%d", productHTTP) }
func httpsAddress() string { return fmt.Sprintf("127.0.0.1:%d", productHTTPS) }
