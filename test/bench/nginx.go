package main

import (
	"embed"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"text/template"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

//go:embed hand.conf.tmpl backend.conf.tmpl
var confs embed.FS

// handWritten is what the templates of nginx.conf are filled with.
type handWritten struct {
	Dir              string // its files
	User             string // "" where this process isn't root
	HTTP, HTTPS      int
	Host             string
	Backend          string // address and port
	Upstream         string // the upstream's name in the log
	AccessLog        string // "" for none
	Certificate, Key string // files
	MixOrigin        string // for the typical mix; "" for none of it
}

// startNginx runs nginx on one of the templates until the session ends. It
// returns once nginx accepts connections at the address.
func startNginx(s *lab.Session, binary, name string, h handWritten, address string) *lab.Process {
	h.User = workerUser(s)
	conf := filepath.Join(h.Dir, "nginx.conf")
	f, err := os.Create(conf)
	s.Must(err, name)
	t, err := template.ParseFS(confs, name)
	s.Must(err, name)
	s.Must(t.Execute(f, h), name)
	s.Must(f.Close(), name)

	p := lab.Start(s, h.Dir, exec.Command(binary, "-c", conf, "-p", h.Dir, "-e", "stderr"))
	p.Await(s, "it accepts connections", func() bool { return accepts(address) })
	return p
}

func accepts(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// workerUser is whom root's nginx runs its workers as. Debian's group of nobody
// has another name than nobody's own, so both have to be named.
func workerUser(s *lab.Session) string {
	if os.Geteuid() != 0 {
		return ""
	}
	u, err := user.Lookup("nobody")
	s.Must(err, "user for nginx's workers")
	g, err := user.LookupGroupId(u.Gid)
	s.Must(err, "group for nginx's workers")
	return u.Username + " " + g.Name
}
