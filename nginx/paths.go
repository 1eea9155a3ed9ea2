package nginx

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Paths are the names of everything in a work folder.
type Paths struct {
	Dir         string
	Conf        string // nginx.conf, of mode 0600
	Pid         string
	Lua         string // folder for lua_package_path
	Control     string // unix socket of the controller, in a folder that only it may enter
	Unavailable string // unix socket of the server that answers 503; workers use it
	Opened      string // unix socket for TLS, where nginx's stream module has the port, and for its own requests
	Own         string // unix socket for nginx's own requests without TLS
	Through     string // unix socket for TLS that nginx does not open
	Files       string // folder of what nginx.conf reads by name; workers can't list it
	Geo         string // folder of databases of addresses; workers read them
	Temp        string // folder for nginx's temporary files
	DefaultCert string // of nginx.conf, where no data says otherwise
	DefaultKey  string
	Recommended string // ModSecurity's recommended configuration

	private string // folder of mode 0700: nginx makes sockets with mode 0666
	data    string // what nginx is to hold when it starts
	stage   string // a new nginx.conf, until it has its name
	emerg   string // nginx's own words when it could not start or reload
	lock    string // held by who runs nginx, as long as that lives
	keeper  string // unix socket on which a Keeper is asked
	fresh   string // there if FreshDir made the folder
}

// PathsIn returns the paths of a work folder.
func PathsIn(dir string) Paths {
	at := func(name string) string { return filepath.Join(dir, name) }
	return Paths{
		Dir:         dir,
		Conf:        at("nginx.conf"),
		Pid:         at("nginx.pid"),
		Lua:         at("lua"),
		Control:     at("private/control.sock"),
		Unavailable: at("unavailable.sock"),
		Opened:      at("opened.sock"),
		Own:         at("own.sock"),
		Through:     at("through.sock"),
		Files:       at("files"),
		Geo:         at("geoip"),
		Temp:        at("temp"),
		DefaultCert: at("default.crt"),
		DefaultKey:  at("default.key"),
		Recommended: at("modsecurity.conf"),
		private:     at("private"),
		data:        at("private/data.json"),
		stage:       at("nginx.conf.new"),
		emerg:       at("emerg.log"),
		lock:        at("controller.lock"),
		keeper:      at("private/keeper.sock"),
		fresh:       at("fresh"),
	}
}

// clear removes what a dead nginx leaves behind.
func (p Paths) clear() error {
	if _, err := os.Lstat(p.fresh); err == nil {
		return os.RemoveAll(p.Dir)
	}
	return p.removeFiles(p.Control, p.Unavailable, p.Opened, p.Own, p.Through, p.Pid, p.data, p.stage, p.keeper)
}

func (Paths) removeFiles(names ...string) error {
	var errs []error
	for _, name := range names {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
