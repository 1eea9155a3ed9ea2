package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/store"
	"github.com/sallyport-ingress/sallyport/nginx"
	"github.com/sallyport-ingress/sallyport/template"
)

// render prints the nginx.conf that manifests become, and what is wrong with
// them. It starts nothing and looks at no cluster. The problems go to stderr;
// they are no error: an error is a file that can't be read or a wrong flag.
func render(_ context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	f := o.flagSet()
	f.Usage = func() {
		fmt.Fprintf(stderr, "usage: sallyport render [flags] FILE|FOLDER|- …\n\nPrints the nginx.conf to standard output and the problems to standard error.\nIt takes the controller's flags.\n")
	}
	if err := f.Parse(args); err != nil {
		if err == pflag.ErrHelp {
			return err
		}
		return &usageError{err}
	}
	if f.NArg() == 0 {
		return usagef("render: name the files or folders with manifests, or - for standard input")
	}
	if err := o.check(); err != nil {
		return err
	}
	b := o.buildOptions()
	b.AllowLoopback, b.Brotli = true, true
	b.GeoIP = imageGeoIP
	b.ModSecurity, b.CoreRules = true, true
	b.Listen.IPv6 = true
	result := build.New(b).Build(store.Load(f.Args()...))
	e := renderEnvironment()
	o.counting(&e)
	renderer, err := template.New(e)
	if err != nil {
		return err
	}
	conf, err := renderer.Conf(result.Config)
	if err != nil {
		return err
	}
	if _, err := stdout.Write(conf.Bytes); err != nil {
		return err
	}
	for _, p := range result.Problems {
		if _, err := fmt.Fprintf(stderr, "problem: %s\n", p); err != nil {
			return err
		}
	}
	return nil
}

// renderEnvironment stands for a machine as the image has it.
func renderEnvironment() template.Environment {
	e := environmentIn(nginx.PathsIn("/run/sallyport"))
	e.Stream = "modules/ngx_stream_module.so"
	e.Brotli = "modules/ngx_http_brotli_filter_module.so"
	e.GeoIP = "modules/ngx_http_geoip2_module.so"
	e.ModSecurity = "modules/ngx_http_modsecurity_module.so"
	e.CoreRules = []string{"/etc/modsecurity/crs/crs-setup.conf", "/usr/share/modsecurity-crs/rules/*.conf"}
	e.Modules = []string{"modules/ndk_http_module.so", "modules/ngx_http_lua_module.so"}
	e.Version = [3]int{1, 26, 0}
	e.OpenFiles = 65536
	e.AccessLog = "/dev/stdout"
	return e
}

// imageGeoIP are the databases that are downloaded unless a flag says more.
var imageGeoIP = build.GeoIP{Module: true, Databases: []string{"GeoLite2-ASN", "GeoLite2-City"}}
