package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"syscall"

	"github.com/sallyport-ingress/sallyport/controller/metrics"
	"github.com/sallyport-ingress/sallyport/nginx"
	"github.com/sallyport-ingress/sallyport/template"
)

// nginx prepares the work folder: the one that was named, one whose controller
// is gone while its nginx serves our ports, or a fresh one. Where nginx is
// another container's, it waits for that.
func (o *options) nginx(ctx context.Context, log *slog.Logger) (dataPlane, error) {
	dir := o.WorkDir
	if o.ExternalDataPlane {
		return nginx.Dial(ctx, dir, version, log)
	}
	if dir == "" {
		var err error
		if dir, err = nginx.FreshDir(o.serves); err != nil {
			return nil, fmt.Errorf("work folder: %w", err)
		}
	}
	return nginx.New(nginx.Options{Binary: o.NginxBinary, Dir: dir, Log: log})
}

// environmentIn is what nginx.conf has to say of a work folder.
func environmentIn(p nginx.Paths) template.Environment {
	return template.Environment{
		Dir:         p.Dir,
		Lua:         p.Lua,
		Pid:         p.Pid,
		Control:     p.Control,
		Unavailable: p.Unavailable,
		Opened:      p.Opened,
		Own:         p.Own,
		Through:     p.Through,
		Files:       p.Files,
		GeoFolder:   p.Geo,
		DefaultCert: p.DefaultCert,
		DefaultKey:  p.DefaultKey,
		Recommended: p.Recommended,
	}
}

// environment is what nginx.conf has to say of this machine.
func environment(o options, b nginx.Build, rules nginx.Rules, p nginx.Paths) template.Environment {
	e := environmentIn(p)
	e.Version = b.Version
	e.OpenFiles = openFiles()
	e.AccessLog = accessLog(p)
	o.counting(&e)
	for _, name := range []string{"ndk", "lua"} {
		if path := b.Modules[name]; path != "" {
			e.Modules = append(e.Modules, path)
		}
	}
	e.Stream = b.Modules["stream"]
	e.Brotli, e.GeoIP = b.Modules["brotli"], b.Modules["geoip2"]
	e.ModSecurity, e.CoreRules = b.Modules["modsecurity"], rules.Core
	if os.Geteuid() == 0 {
		e.User = workerUser()
	}
	return e
}

// counting says how requests are counted.
func (o *options) counting(e *template.Environment) {
	e.CounterRows = o.CounterRows
	e.Buckets = template.Buckets{Time: o.TimeBuckets, Length: o.LengthBuckets, Size: o.SizeBuckets}
	e.Buckets.Native, e.Buckets.Schema = o.BucketFactor > 1, metrics.Schema(o.BucketFactor)
}

// rules finds what ModSecurity's packages have, and puts the recommended
// configuration into the work folder. It says whether requests can be held
// against rules.
func modSecurityRules(b nginx.Build, p nginx.Paths) (rules nginx.Rules, usable bool, err error) {
	if _, usable = b.Modules["modsecurity"]; !usable {
		return rules, false, nil
	}
	rules, err = nginx.FindRules("/")
	if err != nil || rules.Recommended == nil {
		return rules, false, err
	}
	if err := os.WriteFile(p.Recommended, rules.Recommended, 0o600); err != nil {
		return rules, false, fmt.Errorf("ModSecurity's recommended configuration: %w", err)
	}
	return rules, true, nil
}

// workerUser is whom nginx's workers run as where the master is root.
func workerUser() string {
	for _, name := range []string{"www-data", "nginx", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		if group, err := user.LookupGroupId(u.Gid); err == nil {
			return u.Username + " " + group.Name
		}
	}
	return "root root"
}

// openFiles is how many files a process of ours may hold open, at the most. That
// is what nginx has from now on, whose master holds the sockets of all ports:
// Go would start it under the lower, soft limit that we were started under.
func openFiles() int {
	const most = 1 << 20
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	raised := limit
	raised.Cur = min(limit.Max, most)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
		return int(min(limit.Cur, most))
	}
	return int(raised.Cur)
}

// accessLog is our standard output, where nginx can open that by name; a
// socket can't be opened, and then the log is a file in the work folder.
func accessLog(p nginx.Paths) string {
	const stdout = "/dev/stdout"
	f, err := os.OpenFile(stdout, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return p.Dir + "/access.log"
	}
	f.Close()
	return stdout
}
