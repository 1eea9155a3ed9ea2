package settings

import (
	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

func readGeoIP(r *option.Reader, s *model.Settings) {
	s.GeoIP = flag(r, "use-geoip2", false,
		"Gives `log-format-upstream` and the ConfigMap's snippets the variables `$geoip2_…` of ingress-nginx, by the databases of `--geoip-folder` or those that `--maxmind-license-key` "+
			"or `--maxmind-mirror` brings at start. A database that is new since then counts after the next start, a newer one as `geoip2-autoreload-in-minutes` says; one that is cut off never does. nginx needs Debian's package libnginx-mod-http-geoip2.")
	s.GeoReload = number(r, "geoip2-autoreload-in-minutes", 0, 0, 1<<20,
		"How often nginx looks for a newer database in the place of one that it has; 0: with each new configuration alone.")
	used := map[string]bool{}
	for _, text := range []string{s.LogFormat, string(s.HTTPSnippet), string(s.ServerSnippet), string(s.LocationSnippet)} {
		annotation.GeoVariablesIn(text, used)
	}
	if len(used) > 0 && !s.GeoIP {
		r.Warn("use-geoip2", "is not true: the variables $geoip2_… that other keys use are empty")
	}
}
