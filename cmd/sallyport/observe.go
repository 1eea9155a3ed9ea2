package main

import (
	"os"
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/metrics"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/spans"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// metrics are those of proxy and of what the observer is told.
func (o *options) metrics(proxy dataPlane) *metrics.Metrics {
	return metrics.New(metrics.Options{
		Namespace:        os.Getenv("POD_NAMESPACE"),
		Class:            o.ControllerClass,
		Pod:              os.Getenv("POD_NAME"),
		Version:          version,
		Nginx:            proxy,
		Requests:         o.Metrics,
		PerHost:          o.MetricsPerHost,
		PerUndefinedHost: o.MetricsPerUndefinedHost,
		StatusClasses:    o.StatusClasses,
		Excluded:         o.ExcludedMetrics,
		MaxBuckets:       int(o.MaxBuckets),
		Buckets:          metrics.Buckets{Time: o.TimeBuckets, Length: o.LengthBuckets, Size: o.SizeBuckets},
	})
}

// observer tells the metrics what the controller did. It is for one goroutine.
type observer struct {
	*metrics.Metrics
	spans *spans.Exporter
	seen  map[store.Key]*networkingv1.Ingress
}

// Generation notes what nginx runs with: a digest of it in hex.
func (o *observer) Generation(generation string) {
	if digest, err := strconv.ParseUint(generation, 16, 64); err == nil {
		o.ConfigHash(digest)
	}
}

// Built notes what a build came to.
func (o *observer) Built(r *build.Result, refused int) {
	o.spans.Configure(r.Config.Settings.Spans)
	trouble := map[store.Key]bool{}
	for _, p := range r.Problems {
		if p.Object.Kind == "Ingress" {
			trouble[store.Key{Namespace: p.Object.Namespace, Name: p.Object.Name}] = true
		}
	}
	orphans := orphansOf(r)
	all := make([]metrics.Ingress, 0, len(r.Ingresses))
	seen := make(map[store.Key]*networkingv1.Ingress, len(r.Ingresses))
	for _, ing := range r.Ingresses {
		key := store.Key{Namespace: ing.Namespace, Name: ing.Name}
		seen[key] = ing
		all = append(all, metrics.Ingress{
			Namespace: ing.Namespace, Name: ing.Name,
			Changed: o.seen[key] != ing, Problem: trouble[key], Orphan: orphans[key],
		})
	}
	for key := range o.seen {
		if seen[key] == nil {
			o.Forget(key.Namespace, key.Name)
		}
	}
	o.seen = seen
	o.Ingresses(all, len(r.Problems), refused)

	byHost := make(map[string]model.Certificate, len(r.Config.Hosts))
	for host, id := range r.Config.Hosts {
		if certificate, ok := r.Config.Certificates[id]; ok {
			byHost[host] = certificate
		}
	}
	o.Certificates(byHost)
}

// orphansOf says which Ingresses have a route to a Service that is missing, or
// that has no endpoints.
func orphansOf(r *build.Result) map[store.Key]string {
	orphans := map[store.Key]string{}
	for _, route := range r.Config.Routes {
		if route.Ingress == "" || len(r.Config.Backends[route.Backend].Endpoints) > 0 {
			continue
		}
		key := store.Key{Namespace: route.Namespace, Name: route.Ingress}
		if r.Missing[route.Backend] {
			orphans[key] = "no-service"
		} else if orphans[key] == "" {
			orphans[key] = "no-endpoint"
		}
	}
	return orphans
}
