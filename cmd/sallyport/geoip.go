package main

import (
	"context"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/geoip"
	"github.com/sallyport-ingress/sallyport/nginx"
)

// geoOptions are where databases of addresses come from.
type geoOptions struct {
	Folder, LicenseKey, Mirror string
	Editions                   []string
	Retries                    int
	Wait                       time.Duration
}

func (o *geoOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.Folder, "geoip-folder", "/etc/ingress-controller/geoip", "the folder of EDITION.mmdb files for the ConfigMap's use-geoip2; they are looked for at start, and nginx gets copies of those that can be read")
	f.StringVar(&o.LicenseKey, "maxmind-license-key", "", "MaxMind's license key: databases are downloaded at start")
	f.StringVar(&o.Mirror, "maxmind-mirror", "", "the URL of a folder of EDITION.tar.gz files, which are downloaded at start in the place of MaxMind's")
	f.StringSliceVar(&o.Editions, "maxmind-edition-ids", []string{"GeoLite2-City", "GeoLite2-ASN"}, "the databases that are downloaded")
	f.IntVar(&o.Retries, "maxmind-retries-count", 1, "how many attempts a download gets")
	f.DurationVar(&o.Wait, "maxmind-retries-timeout", 0, "the time between the first two attempts, which grows by half with each further one; 0 for one attempt")
}

func (o *geoOptions) check() error {
	for i, edition := range o.Editions {
		o.Editions[i] = strings.TrimSpace(edition)
		if !slices.Contains(annotation.GeoEditions(), o.Editions[i]) {
			return usagef("--maxmind-edition-ids %q is none of %s", edition, strings.Join(annotation.GeoEditions(), ", "))
		}
	}
	if u, err := url.Parse(o.Mirror); o.Mirror != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return usagef("--maxmind-mirror is not an http or https URL")
	}
	return nil
}

// source is where databases come from and go to.
func (o *geoOptions) source(p nginx.Paths) geoip.Options {
	return geoip.Options{
		Folder: o.Folder, Into: p.Geo, Editions: o.Editions,
		LicenseKey: o.LicenseKey, Mirror: o.Mirror, Attempts: o.Retries, Wait: o.Wait,
	}
}

// geoIP brings the databases to where nginx reads them, if it has the module.
func (o *options) geoIP(ctx context.Context, b nginx.Build, p nginx.Paths, log *slog.Logger) build.GeoIP {
	if _, ok := b.Modules["geoip2"]; !ok {
		return build.GeoIP{}
	}
	found := geoip.Find(ctx, o.Geo.source(p))
	for _, problem := range found.Problems {
		tellGeo(log)(problem)
	}
	return build.GeoIP{Module: true, Databases: found.Editions, Problems: found.Problems}
}

func tellGeo(log *slog.Logger) func(string) {
	return func(problem string) { log.Warn("a database of addresses can't be used", "because", problem) }
}
