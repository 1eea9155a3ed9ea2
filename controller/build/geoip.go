package build

import (
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// GeoIP is what the machine has of databases of addresses.
type GeoIP struct {
	Module    bool     // nginx has the module
	Databases []string // that can be read, as in GeoLite2-City
	Problems  []string // with those that can't
}

// geoIP gives nginx the databases that there are.
func (t *task) geoIP(object model.Object) {
	s, has := &t.result.Config.Settings, t.o.GeoIP
	const key = "data.use-geoip2"
	if !s.GeoIP {
		return
	}
	for _, reason := range has.Problems {
		t.problem(object, key, reason)
	}
	switch {
	case !has.Module:
		t.problem(object, key, "has no effect: nginx's geoip2 module is missing, install the package libnginx-mod-http-geoip2")
	case len(has.Databases) == 0:
		t.problem(object, key, "finds no database; the variables $geoip2_… are empty")
	default:
		s.GeoDatabases = option.ListOf(has.Databases...)
	}
}
