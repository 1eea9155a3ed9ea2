// Package settings turns the controller's ConfigMap into model.Settings.
//
// A key that is missing or wrong leaves the default; a wrong or unknown one is
// a problem too. The package looks at nothing but the ConfigMap's data.
package settings

import (
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Parse reads the ConfigMap's data over the defaults. What the command line
// decides (Listen, Metrics, StrictPaths) is left zero.
func Parse(data map[string]string) (model.Settings, []option.Problem) {
	if data == nil {
		data = map[string]string{}
	}
	r := option.NewReader(data, "")
	s := read(r)
	for _, name := range r.Unasked() {
		if dead(name) {
			r.Reject(name, "is a key of older versions of ingress-nginx, which its last ones did not know either, and has no effect")
			continue
		}
		r.Reject(name, "is not a key that this version knows and has no effect")
	}
	return s, r.Problems()
}

// Docs are the entries of the reference page.
func Docs() []option.Doc { return option.Docs(func(r *option.Reader) { read(r) }) }

// read is the list of areas.
func read(r *option.Reader) model.Settings {
	var s model.Settings
	readWorkers(r, &s)
	snippets := readSnippets(r, &s)
	readLogs(r, &s, snippets)
	readCompression(r, &s)
	readGeoIP(r, &s)
	readHTTP(r, &s)
	readPeers(r, &s)
	readBinding(r, &s)
	readMachine(r, &s)
	readRedirects(r, &s)
	readUpstream(r, &s)
	readProxy(r, &s)
	readLimits(r, &s)
	readErrors(r, &s)
	readTLS(r, &s)
	readHSTS(r, &s)
	readAccess(r, &s)
	readAuth(r, &s)
	readPolicy(r, &s)
	readTracing(r, &s)
	readModSecurity(r, &s)
	readStream(r, &s)
	return s
}

// dead says whether ingress-nginx took the key once: OpenTracing, whose exporters
// had keys of their own, and the databases before GeoIP2's.
func dead(name string) bool {
	for _, prefix := range []string{"jaeger-", "zipkin-", "datadog-", "opentracing-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return name == "use-geoip" || name == "enable-opentracing"
}
